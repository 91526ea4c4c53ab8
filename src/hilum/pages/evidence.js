"use strict";
(() => {
  const articles = [...document.querySelectorAll("article")];
  const form = document.querySelector(".filters");
  const stateNames = { p: "positive", u: "uncertain", n: "negative" };
  const labelsOf = (article) => [...article.querySelectorAll(".labels > ul > li")];
  const nameOf = (label) => label.querySelector("button").firstChild.data.trim();
  const stateOf = (label) => Object.keys(stateNames).find((key) => label.classList.contains(key));

  // Choosing a label: only its mentions, their cues and their sentences stand out.
  const lit = { m: "on", c: "by", s: "in" };

  function clear(article) {
    article.classList.remove("choice");
    for (const name of Object.values(lit)) {
      article.querySelectorAll(`.text .${name}`).forEach((piece) => piece.classList.remove(name));
    }
    article.querySelectorAll(".text mark[data-was]").forEach((piece) => {
      piece.className = piece.dataset.was;
      delete piece.dataset.was;
    });
    for (const label of labelsOf(article)) {
      label.classList.remove("chosen");
      label.querySelector("button").setAttribute("aria-pressed", "false");
    }
  }

  function choose(article, label) {
    clear(article);
    if (!label) return;
    article.classList.add("choice");
    label.classList.add("chosen");
    label.querySelector("button").setAttribute("aria-pressed", "true");
    for (const line of [...label.querySelectorAll("[data-e]")].reverse()) {
      for (const [kind, name] of Object.entries(lit)) {
        for (const piece of article.querySelectorAll(`.text [data-${kind}~="${line.dataset.e}"]`)) {
          if (kind === "m") wear(piece, stateOf(line));
          piece.classList.add(name);
        }
      }
    }
  }

  // A piece shared by findings of different states takes the state of the one that was chosen.
  function wear(piece, state) {
    if (piece.dataset.was === undefined) piece.dataset.was = piece.className;
    piece.classList.remove(...Object.keys(stateNames));
    if (state) piece.classList.add(state);
  }

  function address(article, label) {
    const hash = `#${article.id}${label ? "/" + encodeURIComponent(nameOf(label)) : ""}`;
    try {
      history.replaceState(null, "", hash);
    } catch {
      // Some viewers forbid it for local files; the page works without.
    }
  }

  function toggle(article, label) {
    const next = label.classList.contains("chosen") ? null : label;
    choose(article, next);
    address(article, next);
  }

  function fromAddress() {
    const [id, name] = location.hash.slice(1).split("/");
    const article = articles.find((one) => one.id === id);
    if (!article || name === undefined) return;
    let wanted = name;
    try {
      wanted = decodeURIComponent(name);
    } catch {
      // A stray percent sign: take the name as it stands.
    }
    const plain = (words) => words.replace(/_/g, " ").toLowerCase();
    const label = labelsOf(article).find((one) => plain(nameOf(one)) === plain(wanted));
    choose(article, label);
    article.hidden = false;
    article.scrollIntoView();
  }

  // A click in the text chooses the label of that mention; the next click there, the next of its labels.
  function fromText(article, piece) {
    const places = piece.dataset.m.split(" ");
    const labels = labelsOf(article).filter((label) =>
      places.some((place) => label.querySelector(`[data-e="${place}"]`)));
    if (!labels.length) return;
    const now = labels.findIndex((label) => label.classList.contains("chosen"));
    const next = now < 0 ? labels[0] : labels[now + 1] || null;
    choose(article, next);
    address(article, next);
  }

  document.addEventListener("click", (event) => {
    const article = event.target.closest("article");
    if (!article) return;
    const button = event.target.closest(".labels button");
    const piece = event.target.closest("mark[data-m]");
    if (button) toggle(article, button.parentElement);
    else if (piece) fromText(article, piece);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const article = document.activeElement && document.activeElement.closest("article");
    (article ? [article] : articles).forEach(clear);
  });

  // Filters.
  const index = articles.map((article) => ({
    article,
    id: article.querySelector("h2 bdi").textContent.toLowerCase(),
    status: article.dataset.status,
    states: new Map(labelsOf(article).filter((label) => !label.matches(".other")).map((label) => [nameOf(label), stateNames[stateOf(label)]])),
  }));

  function matches(row, want) {
    if (want.status && row.status !== want.status) return false;
    if (want.id && !row.id.includes(want.id.trim().toLowerCase())) return false;
    if (want.state === "not mentioned") return want.finding ? !row.states.has(want.finding) : !row.states.size;
    if (want.finding) return want.state ? row.states.get(want.finding) === want.state : row.states.has(want.finding);
    return !want.state || [...row.states.values()].includes(want.state);
  }

  function filter(event) {
    const want = Object.fromEntries(new FormData(form));
    let shown = 0;
    for (const row of index) {
      const match = matches(row, want);
      row.article.hidden = !match;
      shown += match;
      if (event && event.target.name === "finding") {
        choose(row.article, labelsOf(row.article).find((label) => nameOf(label) === want.finding));
      }
    }
    form.querySelector("output").textContent = `${shown} of ${articles.length} reports`;
    document.getElementById("none").hidden = shown > 0;
  }

  function countsAsFilters() {
    for (const cell of document.querySelectorAll(".counts td[class]")) {
      const button = document.createElement("button");
      const finding = cell.parentElement.querySelector("th").textContent;
      const state = stateNames[stateOf(cell)];
      button.textContent = cell.textContent;
      button.setAttribute("aria-label", `${cell.textContent}: show reports with ${finding} ${state}`);
      button.addEventListener("click", () => {
        form.elements.finding.value = finding;
        form.elements.state.value = state;
        filter({ target: form.elements.finding });
      });
      cell.replaceChildren(button);
    }
  }

  document.documentElement.classList.add("js");
  articles.forEach(clear);
  if (form) {
    form.hidden = false;
    form.addEventListener("input", filter);
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("reset", () => setTimeout(() => filter({ target: form.elements.finding })));
    countsAsFilters();
    filter();
  }
  addEventListener("hashchange", fromAddress);
  fromAddress();
})();
