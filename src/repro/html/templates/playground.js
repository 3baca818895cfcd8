"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const [form, time, play, canvas] = ["choices", "time", "play", "regions"].map((id) => document.getElementById(id));
const names = data.choices.map((choice) => choice.name);
const COLOURS = ["#d55e00", "#0072b2"];
const DECADES = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => n / 8);
const FADED = ["#f2cdb3", "#b3d4e8"];

const chosen = () => new FormData(form);
const words = () => names.map((name) => chosen().get(name));
const net = () => data.nets[words().join("|")];
const place = () => Math.min(Number(time.value), net() ? net().accuracy.length - 1 : 0);

const bits = (text) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return (i) => (bytes[i >> 3] >> (7 - (i & 7))) & 1;
};

function drawRegions(shown, at) {
  const context = canvas.getContext("2d"), size = canvas.width;
  context.clearRect(0, 0, size, size);
  const said = bits(shown.regions[at]);
  const side = Math.floor(Math.sqrt(atob(shown.regions[at]).length * 8));
  for (let row = 0; row < side; row += 1) {
    for (let column = 0; column < side; column += 1) {
      context.fillStyle = FADED[said(row * side + column)];
      const [x, y] = [(column * size) / side, ((side - 1 - row) * size) / side];
      context.fillRect(Math.floor(x), Math.floor(y), Math.ceil(size / side) + 1, Math.ceil(size / side) + 1);
    }
  }
  for (const [x, y, target] of data.points) {
    context.beginPath();
    context.arc(((x / data.edge + 1) * size) / 2, ((1 - y / data.edge) * size) / 2, 4, 0, 2 * Math.PI);
    context.fillStyle = COLOURS[target];
    context.fill();
    context.strokeStyle = "#fff";
    context.stroke();
  }
}

function element(parent, kind, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", kind);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  parent.append(made);
  return made;
}

// Heights from 0 to 1, and lines across at some of them.
function bars(id, heights, inner, label, lines = []) {
  const svg = document.getElementById(id), width = 330 / Math.max(heights.length, 1);
  svg.replaceChildren();
  element(svg, "line", { x1: 25, y1: 175, x2: 355, y2: 175, class: "axis" });
  for (const height of lines) element(svg, "line", { x1: 25, y1: 175 - 160 * height, x2: 355, y2: 175 - 160 * height, class: "line" });
  heights.forEach((height, i) => {
    const [x, tall] = [25 + i * width + width * 0.15, 160 * Math.max(0, Math.min(1, height))];
    element(svg, "rect", { x, y: 175 - tall, width: width * 0.7, height: tall, class: "bar" });
    element(svg, "rect", { x, y: 175 - tall * inner[i], width: width * 0.7, height: tall * inner[i], class: "inner" });
    element(svg, "text", { x: x + width * 0.35, y: 192, "text-anchor": "middle" }, String(i + 1));
  });
  svg.setAttribute("aria-label", label);
}

function drawCourse(shown, at) {
  const svg = document.getElementById("course"), last = data.steps[data.steps.length - 1];
  const points = shown.accuracy.map((share, i) => [25 + (330 * data.steps[i]) / last, 175 - 320 * Math.max(0, share - 0.5)]);
  svg.replaceChildren();
  element(svg, "line", { x1: 25, y1: 175, x2: 355, y2: 175, class: "axis" });
  element(svg, "line", { x1: 25, y1: 15, x2: 355, y2: 15, class: "line" });
  element(svg, "text", { x: 20, y: 20, "text-anchor": "end" }, "1");
  element(svg, "text", { x: 22, y: 180, "text-anchor": "end" }, ".5");
  element(svg, "polyline", { points: points.map((p) => p.join(",")).join(" "), class: "course" });
  element(svg, "circle", { cx: points[at][0], cy: points[at][1], r: 6, class: "now" });
  svg.setAttribute("aria-label", `Accuracy by update: ${shown.accuracy.join(", ")}`);
}

const percent = (share) => `${Math.round(100 * share)} %`;
const power = (ratio) => (ratio >= 0.1 ? ratio.toPrecision(2) : ratio.toExponential(0));

function sentence(shown, at, ratios) {
  const said = [`${percent(shown.accuracy[at])} of the test points are told rightly.`];
  const saturated = shown.saturated[at], dead = shown.dead[at];
  if (ratios.length > 1) said.push(`The gradient of the first layer is ${power(ratios[0])} of the last one's.`);
  const most = Math.max(...saturated, 0), gone = Math.max(...dead, 0);
  if (most > 0.2) said.push(`Of layer ${saturated.indexOf(most) + 1}, ${percent(most)} is saturated.`);
  if (gone > 0.05) said.push(`Of layer ${dead.indexOf(gone) + 1}, ${percent(gone)} of the units are dead.`);
  if (shown.accuracy.length < data.steps.length) said.push("Later its loss is no longer finite.");
  return said.join(" ");
}

function show() {
  const shown = net();
  if (!shown) {
    document.getElementById("says").textContent = "This net was not trained.";
    return;
  }
  const at = place(), gradients = shown.gradient[at], end = gradients[gradients.length - 1];
  const ratios = gradients.map((norm) => (end > 0 && norm !== null ? norm / end : 0));
  document.getElementById("step").textContent = data.steps[at];
  drawRegions(shown, at);
  const wide = Math.max(...shown.std[at].map(Number), 1);
  bars("signals", shown.std[at].map((std) => std / wide), shown.saturated[at],
    `Spread of activations by layer: ${shown.std[at].join(", ")}; saturated shares: ${shown.saturated[at].join(", ")}`);
  bars("gradients", ratios.map((ratio) => (ratio > 0 ? 1 + Math.log10(Math.min(ratio, 1)) / 8 : 0)), ratios.map(() => 0),
    `Gradient by layer over the last layer's: ${ratios.map(power).join(", ")}`, DECADES);
  drawCourse(shown, at);
  document.getElementById("says").textContent = sentence(shown, at, ratios);
  canvas.setAttribute("aria-label", `Regions of the two classes after ${data.steps[at]} updates`);
  const settings = names.slice(1).map((name, i) => `${name}=${words()[i + 1]}`);
  document.getElementById("command").textContent =
    `repro train experiment=${data.experiment} variant=${words()[0]} ${settings.join(" ")} trainer.steps=${Math.max(data.steps[at], 1)}`;
  const address = `#${new URLSearchParams([...names.map((name, i) => [name, words()[i]]), ["step", data.steps[at]]])}`;
  document.getElementById("address").href = address;
  history.replaceState(null, "", address);
}

function read() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const name of names) {
    const input = [...form.elements].find((one) => one.name === name && one.value === asked.get(name));
    if (input) input.checked = true;
  }
  const at = data.steps.indexOf(Number(asked.get("step")));
  time.value = asked.has("step") && at >= 0 ? at : data.steps.length - 1;
  show();
}

let timer = null;
function stop() {
  clearInterval(timer);
  timer = null;
  play.textContent = "Play";
}
play.addEventListener("click", () => {
  if (timer !== null) return stop();
  if (Number(time.value) >= data.steps.length - 1) time.value = 0;
  play.textContent = "Stop";
  timer = setInterval(() => {
    time.value = Number(time.value) + 1;
    show();
    if (Number(time.value) >= data.steps.length - 1) stop();
  }, 700);
  show();
});
time.max = data.steps.length - 1;
time.addEventListener("input", show);
form.addEventListener("input", show);
form.addEventListener("submit", (event) => event.preventDefault());
addEventListener("hashchange", read);
read();
