"use strict";
const filters = document.getElementById("filters");
if (filters) {
  const [paper, verdict, text] = ["paper", "verdict", "text"].map((name) => document.getElementById(`filter-${name}`));
  const rows = [...document.querySelectorAll(".ledger .claim")];
  const heading = (row) => row.closest("tbody").querySelector(".group").textContent;
  const folds = [...document.querySelectorAll(".fold")].filter((fold) => fold.querySelector(".ledger"));
  const words = new Map(rows.map((row) => [row, `${heading(row)} ${row.textContent}`.toLowerCase()]));
  const apply = () => {
    const sought = text.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(
        (!paper.value || row.dataset.paper === paper.value) &&
        (!verdict.value || row.dataset.verdict === verdict.value) &&
        sought.every((word) => words.get(row).includes(word))
      );
      shown += row.hidden ? 0 : 1;
    }
    for (const group of document.querySelectorAll(".ledger tbody")) {
      group.hidden = !group.querySelector(".claim:not([hidden])");
    }
    const asked = Boolean(paper.value || verdict.value || sought.length);
    for (const fold of folds) {
      fold.hidden = !fold.querySelector(".claim:not([hidden])");
      fold.open = asked && !fold.hidden; // what is sought is not to be folded away
    }
    document.getElementById("count").textContent = `${shown} of ${rows.length} claims`;
  };
  filters.addEventListener("input", apply);
  filters.addEventListener("reset", () => setTimeout(apply));
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.hidden = false;
  apply(); // a reloaded page may have kept what was chosen
}
