"use strict";
(() => {
  const records = [...document.querySelectorAll(".record")];
  const filters = document.querySelector(".filters");
  if (!records.length || !filters) return;
  const buttons = [...filters.querySelectorAll("button")];
  const judge = filters.querySelector("select");
  const more = document.querySelector(".more");
  const none = document.querySelector(".none");
  const FIRST = 6;
  let chosen = "all";
  let all = records.length <= FIRST + 2;

  const fits = (record, filter) => {
    const flipped = judge && record.dataset.flipped.split(" ").includes(judge.value);
    return { all: true, kept: record.dataset.kept === "kept", rejected: record.dataset.kept === "rejected", flipped, unflipped: !flipped }[filter];
  };
  const show = () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", button.dataset.filter === chosen);
      button.querySelector("i").textContent = records.filter((record) => fits(record, button.dataset.filter)).length;
    }
    const fitting = records.filter((record) => fits(record, chosen));
    const shown = new Set(all ? fitting : fitting.slice(0, FIRST));
    for (const record of records) record.hidden = !shown.has(record);
    more.hidden = shown.size === fitting.length;
    more.firstElementChild.textContent = `Show all ${fitting.length} records`;
    none.hidden = fitting.length > 0;
  };
  for (const button of buttons) button.addEventListener("click", () => { chosen = button.dataset.filter; show(); });
  if (judge) judge.addEventListener("change", show);
  more.firstElementChild.addEventListener("click", () => { all = true; show(); });
  filters.hidden = false;
  show();

  const dialog = document.querySelector("dialog");
  const picture = dialog.querySelector("img");
  const tabs = dialog.querySelector(".tabs");
  const choose = (tab) => {
    for (const other of tabs.children) other.setAttribute("aria-pressed", other === tab);
    picture.src = tab.source.src;
    picture.alt = tab.source.alt;
    tab.focus();
  };
  const step = (by) => {
    const list = [...tabs.children];
    const at = list.findIndex((tab) => tab.getAttribute("aria-pressed") === "true");
    choose(list[(at + by + list.length) % list.length]);
  };
  const open = (record, image) => {
    dialog.querySelector("h3").textContent = `${record.querySelector("h3").textContent} · ${record.querySelector(".score").textContent}`;
    tabs.replaceChildren(...[...record.querySelectorAll("figure")].map((figure) => {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.textContent = figure.querySelector("figcaption").textContent;
      tab.source = figure.querySelector("img");
      tab.addEventListener("click", () => choose(tab));
      return tab;
    }));
    dialog.showModal();
    choose([...tabs.children].find((tab) => tab.source === image));
  };
  for (const record of records)
    for (const button of record.querySelectorAll(".open")) button.addEventListener("click", () => open(record, button.firstElementChild));
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
})();
