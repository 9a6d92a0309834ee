"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const NEUTRAL = { level: 0.5, width: 1, inverted: false };
  let form = null;
  let at = 0;
  let shownSince = null; // ms; null while nobody looks
  let grey = { ...NEUTRAL };

  const now = () => new Date().toISOString();
  const place = () => `radedit-readers:${STUDY}:${form.reader.toLowerCase()}`;
  const isComplete = (answer) => answer.looks !== null && answer.finding !== null;

  const stored = (key) => {
    try { return JSON.parse(localStorage.getItem(key)); } catch { return null; }
  };
  const save = () => {
    form.saved = now();
    try { localStorage.setItem(place(), JSON.stringify({ form, at, grey })); } catch { /* private window: the download is left */ }
  };
  const clock = () => { // adds the time since the last call to the image that was shown
    if (shownSince !== null) form.answers[at].seconds = Math.round(10 * form.answers[at].seconds + (performance.now() - shownSince) / 100) / 10;
    shownSince = $("reading").hidden || document.hidden ? null : performance.now();
  };

  const press = (group, value) => {
    for (const button of $(group).querySelectorAll("button")) button.setAttribute("aria-pressed", button.dataset.value === String(value));
  };
  const count = () => {
    const complete = form.answers.filter(isComplete).length;
    $("complete").textContent = complete;
    $("done").style.width = `${(100 * complete) / IMAGES.length}%`;
    return complete;
  };
  const only = (section) => {
    for (const id of ["start", "reading", "end"]) $(id).hidden = id !== section;
    document.querySelector(".progress").hidden = $("download").hidden = section === "start";
  };
  const show = (index) => {
    clock();
    at = index;
    only("reading");
    shownSince = document.hidden ? null : performance.now();
    $("image").src = IMAGES[at];
    $("number").textContent = at + 1;
    $("back").disabled = at === 0;
    $("next").textContent = at + 1 < IMAGES.length ? "Next image →" : "Finish";
    $("comment").value = form.answers[at].comment;
    press("looks", form.answers[at].looks);
    press("finding", form.answers[at].finding);
    count();
    save();
  };
  const finish = () => {
    clock();
    only("end");
    shownSince = null;
    const open = form.answers.filter((answer) => !isComplete(answer)).map((answer) => answer.item);
    $("verdict").textContent = open.length ? `${count()} of ${IMAGES.length} images are rated` : "All images are rated. Thank you.";
    $("open").textContent = open.length ? `Still open: ${open.slice(0, 12).join(", ")}${open.length > 12 ? ", …" : ""}. A form that is filled in part can be used, too.` : "Download your answers and send the file back.";
    $("resume").textContent = open.length ? "Go on rating" : "Back to the images";
    save();
  };
  const step = (by) => {
    if (at + by >= IMAGES.length) finish();
    else if (at + by >= 0) show(at + by);
  };
  const answer = (question, value) => {
    const given = form.answers[at];
    given[question] = value;
    given.answered = now();
    press(question, value);
    count();
    save();
  };

  const draw = () => {
    const slope = (grey.inverted ? -1 : 1) / grey.width;
    const intercept = 0.5 - slope * (grey.inverted ? 1 - grey.level : grey.level);
    for (const channel of document.querySelectorAll("#grey feComponentTransfer > *")) {
      channel.setAttribute("slope", slope);
      channel.setAttribute("intercept", intercept);
    }
    $("level").value = grey.level;
    $("width").value = grey.width;
    $("invert").setAttribute("aria-pressed", grey.inverted);
  };
  const regrey = (change) => {
    grey = { ...grey, ...change };
    draw();
    save();
  };
  const clamp = (value, input) => Math.min(Number(input.max), Math.max(Number(input.min), value));

  const download = () => {
    clock();
    save();
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([JSON.stringify(form, null, 1)], { type: "application/json" }));
    link.download = `reader-study-${STUDY.slice(0, 8)}-${form.reader.replace(/[^\w-]/g, "_")}.json`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };

  document.querySelector("form").addEventListener("submit", (event) => {
    event.preventDefault();
    const reader = $("reader").value.trim();
    if (!reader) return;
    const answers = IMAGES.map((_, i) => ({ item: i + 1, looks: null, finding: null, seconds: 0, answered: null, comment: "" }));
    form = { study: STUDY, reader, started: now(), saved: null, answers };
    const before = stored(place());
    if (before) ({ form, at, grey } = before);
    document.activeElement.blur();
    draw();
    show(at);
  });
  for (const button of $("looks").querySelectorAll("button")) button.addEventListener("click", () => answer("looks", Number(button.dataset.value)));
  for (const button of $("finding").querySelectorAll("button")) button.addEventListener("click", () => answer("finding", button.dataset.value));
  $("back").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("comment").addEventListener("input", () => { form.answers[at].comment = $("comment").value; save(); });
  $("resume").addEventListener("click", () => show(Math.max(0, form.answers.findIndex((given) => !isComplete(given)))));
  $("download").addEventListener("click", download);
  $("save").addEventListener("click", download);
  for (const name of ["level", "width"]) $(name).addEventListener("input", () => regrey({ [name]: Number($(name).value) }));
  $("invert").addEventListener("click", () => regrey({ inverted: !grey.inverted }));
  $("reset").addEventListener("click", () => regrey(NEUTRAL));
  $("image").addEventListener("pointermove", (event) => {
    if (event.pointerType !== "mouse" || !event.buttons) return; // a finger scrolls
    regrey({ level: clamp(grey.level + event.movementY / 600, $("level")), width: clamp(grey.width + event.movementX / 400, $("width")) });
  });
  document.addEventListener("visibilitychange", () => { if (form) { clock(); save(); } });
  window.addEventListener("pagehide", () => { if (form) { clock(); save(); } });
  document.addEventListener("keydown", (event) => {
    if ($("reading").hidden || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("textarea, input")) return;
    const key = event.key.toLowerCase();
    const word = { y: "yes", n: "no", u: "unsure" }[key];
    if ("12345".includes(key)) answer("looks", Number(key));
    else if (word) answer("finding", word);
    else if (key === "arrowright" || (key === "enter" && !event.target.matches("button, summary"))) step(1);
    else if (key === "arrowleft") step(-1);
    else if (key === "i") regrey({ inverted: !grey.inverted });
    else if (key === "0") regrey(NEUTRAL);
    else return;
    event.preventDefault();
  });
})();
