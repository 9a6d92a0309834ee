"use strict";
(() => {
  const list = document.querySelector(".records");
  const filters = document.querySelector(".filters");
  if (!list || !filters) return;
  // Of each record, whether it was kept and whose predictions flipped; the page holds the first ones, files the others.
  const { together, records } = JSON.parse(document.querySelector("script.index").textContent);
  const cards = [...list.children];
  const embedded = cards.length;
  const buttons = [...filters.querySelectorAll("button")];
  const judge = filters.querySelector("select");
  const more = document.querySelector(".more");
  const none = document.querySelector(".none");
  const missing = document.querySelector(".missing");
  const FIRST = 6;
  const STEP = 48;
  let chosen = "all";
  let room = records.length <= FIRST + 2 ? records.length : FIRST;

  const fits = ([kept, flipped], filter) => {
    const turned = judge && flipped.includes(Number(judge.value));
    return { all: true, kept: kept === 1, rejected: kept === 0, flipped: turned, unflipped: !turned }[filter];
  };
  const lost = () => { if (missing) missing.hidden = false; };
  const files = new Map();
  window.radeditRecords = (number, html) => {
    html.forEach((text, i) => {
      const template = document.createElement("template");
      template.innerHTML = text;
      cards[embedded + number * together + i] = template.content.firstElementChild;
    });
  };
  const load = (number) => {
    if (!files.has(number))
      files.set(number, new Promise((done) => {
        const script = document.createElement("script");
        script.src = `gallery/${number}.js`;
        script.onload = done;
        script.onerror = () => { lost(); done(); };
        document.head.append(script);
      }));
    return files.get(number);
  };
  let latest = 0;
  const show = async () => {
    for (const button of buttons) {
      button.setAttribute("aria-pressed", button.dataset.filter === chosen);
      button.querySelector("i").textContent = records.filter((record) => fits(record, button.dataset.filter)).length;
    }
    const fitting = records.flatMap((record, i) => (fits(record, chosen) ? [i] : []));
    const shown = fitting.slice(0, room);
    const left = fitting.length - shown.length;
    more.hidden = !left;
    more.firstElementChild.textContent = left > STEP ? `Show ${STEP} more of ${fitting.length} records` : `Show all ${fitting.length} records`;
    none.hidden = fitting.length > 0;
    const turn = ++latest;
    await Promise.all(shown.filter((i) => i >= embedded).map((i) => load(Math.floor((i - embedded) / together))));
    if (turn === latest) list.replaceChildren(...shown.map((i) => cards[i]).filter(Boolean));
  };
  for (const button of buttons) button.addEventListener("click", () => { chosen = button.dataset.filter; show(); });
  if (judge) judge.addEventListener("change", show);
  more.firstElementChild.addEventListener("click", () => { room += STEP; show(); });
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
  list.addEventListener("click", (event) => {
    const button = event.target.closest(".open");
    if (button) open(button.closest(".record"), button.firstElementChild);
  });
  list.addEventListener("error", lost, true);
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowRight") step(1);
    if (event.key === "ArrowLeft") step(-1);
  });
})();
