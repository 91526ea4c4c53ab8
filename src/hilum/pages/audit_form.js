"use strict";
(() => {
  const FORMAT = "hilum audit answers 1";
  const STATES = ["positive", "uncertain", "negative", "blank"];
  const main = document.querySelector("main");
  const sample = main.dataset.sample;
  const articles = [...document.querySelectorAll("article")];
  const bar = document.querySelector(".bar");
  const field = (name) => bar.querySelector(`[name="${name}"]`);
  const copy = document.querySelector(".copy");
  const rowsOf = (article) => [...article.querySelectorAll("tr[data-finding]")];
  const chosen = (row) => row.querySelector("input:checked");
  const isDone = (article) => rowsOf(article).every(chosen);
  const key = `hilum audit ${sample}`;
  let at = 0;

  // Answers as data: {report number: {finding: state}}, and back into the form.
  function collect() {
    const answers = {};
    for (const article of articles) {
      const one = {};
      for (const row of rowsOf(article)) {
        const input = chosen(row);
        if (input) one[row.dataset.finding] = input.value;
      }
      if (Object.keys(one).length) answers[article.dataset.number] = one;
    }
    return { format: FORMAT, sample, reader: field("reader").value.trim(), answers };
  }

  function fill(record) {
    let unknown = 0;
    for (const article of articles) {
      const one = record.answers[article.dataset.number] || {};
      for (const row of rowsOf(article)) {
        row.querySelectorAll("input").forEach((input) => { input.checked = false; });
        const value = Object.hasOwn(one, row.dataset.finding) ? one[row.dataset.finding] : null;
        if (value === null) continue;
        const input = [...row.querySelectorAll("input")].find((each) => each.value === value);
        if (input) input.checked = true;
        else unknown += 1;
      }
    }
    if (typeof record.reader === "string") field("reader").value = record.reader;
    return unknown;
  }

  function problemOf(record) {
    if (!record || typeof record !== "object" || record.format !== FORMAT) return "This is no file of answers.";
    if (record.sample !== sample) return "These are answers to another form.";
    if (!record.answers || typeof record.answers !== "object") return "This file has no answers.";
    return "";
  }

  function tell(text) {
    field("message").textContent = text;
  }

  // The browser may refuse storage for local files; then only saving to a file keeps answers.
  function keep() {
    const text = JSON.stringify(collect());
    tell("");
    try {
      localStorage.setItem(key, text);
    } catch {
      tell("This browser does not keep answers: save them to a file before closing the page.");
    }
    progress();
  }

  function recall() {
    try {
      const record = JSON.parse(localStorage.getItem(key) || "null");
      if (record && !problemOf(record)) fill(record);
    } catch {
      // Nothing usable was kept.
    }
  }

  function progress() {
    const done = articles.filter(isDone).length;
    for (const article of articles) article.classList.toggle("complete", isDone(article));
    const meter = bar.querySelector("progress");
    meter.max = articles.length;
    meter.value = done;
    field("count").textContent = `${done} of ${articles.length} reports answered`;
    if (copy.open) copy.querySelector("textarea").value = JSON.stringify(collect(), null, 1);
  }

  function show(place, { focus = true } = {}) {
    at = Math.min(Math.max(place, 0), articles.length - 1);
    const together = field("all").checked;
    articles.forEach((article, i) => {
      article.classList.toggle("away", !together && i !== at);
      article.classList.toggle("now", i === at);
    });
    field("at").value = at + 1;
    if (!focus) return;
    const open = rowsOf(articles[at]).find((row) => !chosen(row));
    const target = open ? open.querySelector("input") : articles[at].querySelector("h2");
    target.focus({ preventScroll: true });
    articles[at].scrollIntoView({ block: "start" });
  }

  function nextOpen(from = at + 1) {
    const order = [...articles.keys()].map((i) => (from + i) % articles.length);
    const place = order.find((i) => !isDone(articles[i]));
    if (place === undefined) tell("Every report is answered. Save the answers.");
    else show(place);
  }

  function rest(article) {
    for (const row of rowsOf(article)) {
      const blank = row.querySelector('input[value="blank"]');
      if (!chosen(row) && blank) blank.checked = true;
    }
    keep();
    const place = articles.indexOf(article);
    if (place + 1 < articles.length) show(place + 1);
    if (place + 1 === articles.length || articles.every(isDone)) nextOpen();
  }

  function save() {
    const text = `${JSON.stringify(collect(), null, 1)}\n`;
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = "answers.json";
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    const open = articles.length - articles.filter(isDone).length;
    tell(open ? `Saved answers.json; ${open} reports are not answered in full.` : "Saved answers.json.");
  }

  async function load(file) {
    let record = null;
    try {
      record = JSON.parse(await file.text());
    } catch {
      // Told below.
    }
    const problem = problemOf(record);
    if (problem) {
      tell(problem);
      return;
    }
    const unknown = fill(record);
    keep();
    show(Math.max(articles.findIndex((article) => !isDone(article)), 0));
    tell(unknown ? `Loaded; ${unknown} answers name no state of this form.` : "Loaded.");
  }

  const actions = {
    back: () => show(at - 1),
    next: () => show(at + 1),
    open: () => nextOpen(),
    save,
    rest: (button) => rest(button.closest("article")),
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do]");
    if (button) actions[button.dataset.do](button);
  });
  document.addEventListener("change", (event) => {
    const input = event.target;
    if (input.type === "radio" || input.name === "reader") keep();
    else if (input.name === "at") show(Number(input.value) - 1 || 0);
    else if (input.name === "all") show(at);
    else if (input.name === "load" && input.files.length) {
      load(input.files[0]);
      input.value = "";
    }
  });
  document.addEventListener("focusin", (event) => {
    const article = event.target.closest("article");
    if (article && articles.indexOf(article) !== at) show(articles.indexOf(article), { focus: false });
  });

  function answerByKey(row, state) {
    const input = row.querySelector(`input[value="${state}"]`);
    if (!input) return;
    input.checked = true;
    keep();
    const following = row.nextElementSibling;
    (following ? following.querySelector("input:checked") || following.querySelector("input") : input).focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target.closest(".bar, .copy, button, summary")) return;
    const row = event.target.closest("tr[data-finding]");
    const state = STATES[Number(event.key) - 1];
    if (row && state) answerByKey(row, state);
    else if (event.key === "Enter") rest(articles[at]);
    else if (event.key === "j") show(at + 1);
    else if (event.key === "k") show(at - 1);
    else return;
    event.preventDefault();
  });

  document.documentElement.classList.add("js");
  bar.hidden = false;
  copy.hidden = false;
  copy.addEventListener("toggle", progress);
  document.querySelectorAll('[data-do="rest"]').forEach((button) => { button.hidden = false; });
  field("at").max = articles.length;
  recall();
  progress();
  show(Math.max(articles.findIndex((article) => !isDone(article)), 0), { focus: false });
})();
