// Keeps the page up to date: fragments from the event stream, the chart's numbers, and moving among devices by keys.
"use strict";
(() => {
  const root = document.documentElement;
  const byId = (id) => document.getElementById(id);
  const narrow = matchMedia("(max-width:640px)");
  const dark = matchMedia("(prefers-color-scheme:dark)");
  byId("chart-table").open = false; // without this script it stands open, for there is no picture
  const patienceMs = root.dataset.patience * 1000;
  let { stamp } = root.dataset;
  let cycle = Number(byId("fresh").dataset.cycle);
  let planAt = Date.now() - Number(byId("fresh").dataset.age) * 1000;
  let stream = null;
  let poller = null;
  let silent = false;
  let polledAt = 0;

  const ask = async (path, options) => {
    const answer = await fetch(path, { headers: { accept: "application/json" }, ...options });
    silent = false;
    if (answer.status === 401) location.reload();
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  };

  // --- fragments ---------------------------------------------------------------------------------------------
  function replace(id, html) {
    const old = byId(id);
    if (!old) return;
    const place = focusIn(old);
    const open = [...old.querySelectorAll("details")].map((one) => one.open);
    const holder = document.createElement("template");
    holder.innerHTML = html;
    const fresh = holder.content.firstElementChild;
    fresh.querySelectorAll("details").forEach((one, index) => { one.open = open[index] || false; });
    old.replaceWith(fresh);
    if (place >= 0) stops(fresh)[place]?.focus();
  }
  const stops = (element) => [...element.querySelectorAll("a,[tabindex],summary")];
  const focusIn = (element) => stops(element).indexOf(document.activeElement);

  let spokenAt = 0;
  function speak() {
    const said = byId("verdict").textContent.trim();
    if (byId("spoken").textContent === said || Date.now() - spokenAt < 60000) return;
    spokenAt = Date.now();
    byId("spoken").textContent = said;
  }

  function show(update) {
    if (!update) return;
    ({ stamp, cycle } = update);
    planAt = Date.now() - update.age_s * 1000;
    document.title = update.title;
    byId("gone").querySelector("time").textContent = update.clock;
    Object.entries(update.panels).forEach(([id, html]) => replace(id, html));
    if (Object.keys(update.panels).length) { filter(); speak(); }
    if (`${cycle}` !== chart.version) refreshChart();
    tick();
  }

  // --- freshness ---------------------------------------------------------------------------------------------
  const spelled = (s) => s < 60 ? `${Math.round(s)}\u202fs` : s < 3600 ? `${Math.round(s / 60)}\u202fmin` : `${Math.floor(s / 3600)}\u202fh`;
  function tick() {
    if (!cycle) return;
    const age = Math.max(0, Date.now() - planAt);
    const stale = age > patienceMs;
    if (stale && !document.hidden && Date.now() - polledAt > 10000) poll();
    const why = silent ? "the control plane does not answer" : "no plan was made since";
    if (byId("gone-why").textContent !== why) byId("gone-why").textContent = why;
    if (stale !== root.classList.contains("stale")) {
      root.classList.toggle("stale", stale);
      byId("gone").hidden = !stale;
      if (stale) byId("spoken").textContent = byId("gone").textContent;
    }
    if (byId("age")) byId("age").textContent = spelled(age / 1000);
  }
  setInterval(tick, 1000);

  // --- stream, or asking now and then where a proxy cuts it ------------------------------------------------------
  let failures = 0;
  function listen() {
    if (stream || document.hidden) return;
    stream = new EventSource(`/api/v1/stream?after=${stamp}`);
    stream.onmessage = (event) => { failures = 0; stopPolling(); show(JSON.parse(event.data)); };
    stream.onerror = () => {
      failures += 1;
      if (failures >= 2 && !poller) poller = setInterval(poll, 10000);
      if (stream && stream.readyState === EventSource.CLOSED) { hush(); setTimeout(listen, 5000); }
    };
  }
  const hush = () => { stream?.close(); stream = null; };
  const stopPolling = () => { clearInterval(poller); poller = null; };
  // Where no plan comes it is asked whether anybody is there: whoever answers has a loop that is held up.
  function poll() {
    polledAt = Date.now();
    const quiet = () => { silent = true; tick(); };
    return ask(`/page/update?after=${stamp}`, { signal: AbortSignal.timeout(8000) }).then(show, quiet);
  }
  document.addEventListener("visibilitychange", () => { if (document.hidden) { hush(); stopPolling(); } else listen(); });

  // --- chart -------------------------------------------------------------------------------------------------
  const chart = { version: "", drawn: null, timer: null, at: 0, turn: 0, line: Promise.resolve() };
  const query = () => {
    const asked = new URLSearchParams(location.search);
    return new URLSearchParams({ range: asked.get("range") || "48h", model: asked.get("model") || "" });
  };
  const theme = () => root.dataset.theme || (dark.matches ? "dark" : "light");

  // One thing at a time, and of several drawings that wait only the last: an older answer must not win.
  const inTurn = (work) => { chart.line = chart.line.then(work).catch(() => {}); return chart.line; };
  function drawChart() {
    chart.turn += 1;
    const { turn } = chart;
    return inTurn(() => turn === chart.turn && draw());
  }
  async function draw() {
    if (!window.Bokeh || !cycle) return;
    const asked = query();
    asked.set("theme", theme());
    asked.set("narrow", narrow.matches);
    const answer = await ask(`/page/chart?${asked}`);
    Object.assign(chart, { version: answer.version, at: Date.now() });
    byId("chart").className = "";
    byId("chart").replaceChildren();
    byId("chart").setAttribute("aria-label", answer.text);
    byId("unit").textContent = answer.unit;
    await Bokeh.embed.embed_item(answer.item, "chart");
    chart.drawn = Bokeh.documents.at(-1);
    while (Bokeh.documents.length > 1) Bokeh.documents.shift();
    root.dataset.chart = answer.version;
    fillTable();
  }
  function refreshChart() {
    if (chart.timer) return;
    chart.timer = setTimeout(() => {
      chart.timer = null;
      if (chart.drawn) inTurn(renew);
      else drawChart();
    }, Math.max(0, 5000 - (Date.now() - chart.at)));
  }
  async function renew() {
    const answer = await ask(`/page/chart/data?${query()}`);
    Object.assign(chart, { version: answer.version, at: Date.now() });
    byId("chart").setAttribute("aria-label", answer.text);
    Object.entries(answer.axes).forEach(([name, ends]) => {
      if (name === "x" && narrow.matches) ends.end = answer.end;
      chart.drawn.get_model_by_name(name)?.setv(ends);
    });
    Object.entries(answer.tables).forEach(([name, table]) => {
      const source = chart.drawn.get_model_by_name(name);
      if (source) source.data = table;
    });
    root.dataset.chart = answer.version;
    fillTable();
  }
  async function fillTable() {
    if (!byId("chart-table").open) return;
    const answer = await fetch(`/page/chart/table?${query()}`);
    if (answer.ok) replace("chart-rows", await answer.text());
  }
  byId("chart-table").addEventListener("toggle", fillTable);

  function choose(name, value) {
    const asked = query();
    asked.set(name, value);
    if (!asked.get("model")) asked.delete("model");
    history.replaceState(null, "", `?${asked}`);
    document.querySelectorAll("[data-range]").forEach((link) => {
      if (link.dataset.range === query().get("range")) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    });
    drawChart();
  }
  document.querySelectorAll("[data-range]").forEach((link) => link.addEventListener("click", (event) => {
    event.preventDefault();
    choose("range", link.dataset.range);
  }));
  document.querySelector("select[name=model]").addEventListener("change", (event) => choose("model", event.target.value));
  narrow.addEventListener("change", () => drawChart());
  dark.addEventListener("change", () => drawChart());

  byId("theme").hidden = false;
  byId("theme").addEventListener("click", () => {
    root.dataset.theme = theme() === "dark" ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* for this visit only */ }
    drawChart();
  });

  // --- devices -----------------------------------------------------------------------------------------------
  const hosts = byId("hosts");
  const STEPS = { ArrowRight: 1, ArrowLeft: -1, Home: -99, End: 99 };
  hosts.addEventListener("keydown", (event) => {
    const row = event.target.closest("ol");
    if (!row) return;
    const cells = [...row.querySelectorAll("[tabindex]")];
    const at = cells.indexOf(event.target);
    if (event.key in STEPS) move(cells, Math.max(0, Math.min(cells.length - 1, at + STEPS[event.key])));
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const rows = [...hosts.querySelectorAll("ol")];
      const next = rows[rows.indexOf(row) + (event.key === "ArrowDown" ? 1 : -1)];
      if (!next) return;
      const others = [...next.querySelectorAll("[tabindex]")];
      move(others, Math.min(at, others.length - 1));
    } else return;
    event.preventDefault();
  });
  function move(cells, index) {
    cells.forEach((cell, place) => { cell.tabIndex = place === index ? 0 : -1; });
    cells[index].focus();
  }
  function name(event) {
    const cell = event.target.closest("[aria-label]");
    const holder = cell?.dataset.h;
    byId("named").textContent = cell?.closest("li") ? cell.getAttribute("aria-label") : "";
    hosts.querySelectorAll(".same").forEach((other) => other.classList.remove("same"));
    if (holder) hosts.querySelectorAll(`[data-h="${CSS.escape(holder)}"]`).forEach((other) => other.classList.add("same"));
  }
  hosts.addEventListener("focusin", name);
  hosts.addEventListener("mouseover", name);

  // --- filter ------------------------------------------------------------------------------------------------
  const box = byId("filter");
  function filter() {
    const wanted = box.value.trim().toLowerCase();
    byId("queue").querySelectorAll("tbody tr").forEach((row) => {
      row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
    });
  }
  box.hidden = false;
  box.addEventListener("input", filter);

  listen();
  drawChart();
})();
