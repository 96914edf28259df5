"use strict";
// Whatever came from outside is put in as text, never as markup.
(function () {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const data = read("data");
  const at = {};
  data.fields.forEach((name, position) => { at[name] = position; });
  const text = (found, name) => data.texts[found[at[name]]] || "";
  const PAGE = 50;
  const element = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) if (value !== null && value !== undefined) made.setAttribute(name, value);
    for (const child of children) if (child !== null && child !== undefined && child !== "") made.append(child);
    return made;
  };
  const outside = (value) => element("bdi", {}, value);

  // ------------------------------------------------------------------------------------------------ what is filtered
  const form = document.getElementById("filters");
  const field = (name) => form.elements.namedItem(name);
  let page = 0, shown = data.breaks, haystacks = null;

  function haystack(found, index) {
    if (!haystacks) haystacks = new Array(data.breaks.length);
    if (haystacks[index] === undefined) {
      const ids = [found[at.return_id], found[at.rma]].filter((id) => id !== null);
      const said = ["code", "order", "tracking", "owner", "reason", "loop", "whiplash", "next"].map((name) => text(found, name));
      haystacks[index] = ids.concat(said).join("\n").toLowerCase();
    }
    return haystacks[index];
  }

  function apply() {
    const words = field("q").value.toLowerCase().split(/\s+/).filter(Boolean);
    const code = field("code").value, owner = field("owner").value, bucket = field("bucket").value;
    const acknowledged = field("acknowledged").checked, heals = field("heals").checked;
    shown = data.breaks.filter((found, index) =>
      (!code || text(found, "code") === code) &&
      (!owner || text(found, "owner") === owner) &&
      (!bucket || data.buckets[found[at.bucket]] === bucket) &&
      (acknowledged || found[at.acknowledged] < 0) &&
      (heals || !found[at.heals]) &&
      (!words.length || words.every((word) => haystack(found, index).includes(word))));
    page = 0;
    for (const cell of document.querySelectorAll(".grid button")) {
      cell.setAttribute("aria-pressed", String(cell.dataset.code === code && (cell.dataset.bucket || "") === bucket && code !== ""));
    }
    render();
  }

  // ------------------------------------------------------------------------------------------------------ the list
  const list = document.getElementById("work");
  const pages = () => Math.max(1, Math.ceil(shown.length / PAGE));

  function render() {
    const first = page * PAGE, some = shown.slice(first, first + PAGE);
    list.replaceChildren(...some.map(entry));
    if (!some.length) list.append(element("li", { class: "empty" }, data.breaks.length ? "No break matches the filter." : data.verdict));
    const range = some.length ? `${(first + 1).toLocaleString("en")} to ${(first + some.length).toLocaleString("en")} of ` : "";
    document.getElementById("count").textContent = `${range}${shown.length.toLocaleString("en")} breaks`;
    document.getElementById("page").textContent = `page ${page + 1} of ${pages().toLocaleString("en")}`;
    document.getElementById("before").disabled = page === 0;
    document.getElementById("after").disabled = page + 1 >= pages();
  }

  function days(count) { return count === 1 ? "1 day" : `${count.toLocaleString("en")} days`; }

  function entry(found) {
    const whose = element("span", { class: "whose" });
    if (found[at.return_id] !== null) whose.append(`return ${found[at.return_id]}`);
    else if (found[at.rma] !== null) whose.append(`RMA ${found[at.rma]}`);
    if (text(found, "order")) whose.append(element("br"), element("span", { class: "soft" }, outside(text(found, "order"))));
    const amount = text(found, "amount");
    const right = element("span", { class: "right" }, amount ? element("b", {}, amount) : "", amount ? element("br") : "", days(found[at.days]));
    const code = element("span", { class: "code" }, text(found, "code"));
    if (found[at.heals]) code.append(" ", element("span", { class: "word plain" }, "heals"));
    if (found[at.acknowledged] >= 0) code.append(" ", element("span", { class: "word plain" }, "acknowledged"));
    const button = element("button", { class: "entry", type: "button", "aria-expanded": "false" }, code, whose,
      element("span", { class: "what" }, outside(text(found, "reason"))), right);
    const item = element("li", {}, button);
    button.addEventListener("click", () => toggle(item, button, found));
    return item;
  }

  function toggle(item, button, found) {
    const open = button.getAttribute("aria-expanded") === "true";
    button.setAttribute("aria-expanded", String(!open));
    if (open) item.lastElementChild.remove();
    else item.append(detail(found));
  }

  // ------------------------------------------------------------------------------------------------ the drill-down
  const chunks = new Map();

  function caseOf(index) {
    if (index < 0) return null;
    const chunk = Math.floor(index / data.chunk);
    if (!chunks.has(chunk)) chunks.set(chunk, read(`cases-${chunk}`));
    return chunks.get(chunk)[index % data.chunk];
  }

  function detail(found) {
    const said = element("dl");
    const line = (name, value) => { if (value) said.append(element("dt", {}, name), element("dd", {}, value instanceof Node ? value : outside(value))); };
    line("Next", `${text(found, "owner")}: ${text(found, "next")}`);
    line("Loop says", text(found, "loop"));
    line("Whiplash says", text(found, "whiplash"));
    line("Since", text(found, "since"));
    line("Tracking", text(found, "tracking"));
    if (found[at.rma] !== null) line("RMA", String(found[at.rma]));
    if (found[at.acknowledged] >= 0) line("Acknowledged", data.texts[found[at.acknowledged]]);
    const box = element("div", { class: "detail" }, said);
    const view = caseOf(found[at.case]);
    if (view) unfold(box, view);
    return box;
  }

  function unfold(box, view) {
    const [verdict, headline, counterfactual, reasons, findings, units, history, personal] = view;
    const say = (number) => outside(data.texts[number]);
    const heading = (words) => box.append(element("h3", {}, words));
    const items = (tag, rows) => box.append(element(tag, {}, ...rows));
    if (verdict) {
      heading("The matcher");
      box.append(element("p", {}, element("b", {}, say(verdict)), ": ", say(headline), counterfactual ? "; " : "", say(counterfactual)));
    }
    if (reasons.length) { heading("Why"); items("ul", reasons.map((reason) => element("li", {}, say(reason)))); }
    if (findings.length) {
      heading("Findings");
      items("ul", findings.map(([code, message, blocking]) => element("li", {}, element("b", {}, say(code)), " ", say(message), blocking ? "" : " (does not block)")));
    }
    if (units.length) { heading("Unit by unit"); box.append(unitTable(units)); }
    if (history.length) {
      heading("History");
      items("ol", rowsOf(history, 3).map(([at, whose, what]) => element("li", {}, say(at), ", ", say(whose), ": ", say(what))));
    }
    if (personal.length) {
      heading("Personal");
      const said = element("dl");
      for (const [name, value] of personal) said.append(element("dt", {}, say(name)), element("dd", {}, say(value)));
      box.append(said);
    }
  }

  function rowsOf(flat, width) {
    const rows = [];
    for (let start = 0; start < flat.length; start += width) rows.push(flat.slice(start, start + width));
    return rows;
  }

  const COLUMNS = ["Status", "SKU", "Title", "Expected line", "Counted unit", "Condition", "Paired by", "Value", "Outcome"];

  function unitTable(flat) {
    const head = element("tr", {}, ...COLUMNS.map((name) => element("th", { scope: "col" }, name)));
    const rows = rowsOf(flat, COLUMNS.length).map((unit) => element("tr", { class: `unit-${data.texts[unit[5]] === "damaged" ? "damaged" : data.texts[unit[0]].replace(" ", "-")}` },
      ...unit.map((number, column) => element("td", { "data-name": COLUMNS[column] }, number ? outside(data.texts[number]) : null))));
    return element("div", { class: "scroll" }, element("table", { class: "units" }, element("thead", {}, head), element("tbody", {}, ...rows)));
  }

  // ------------------------------------------------------------------------------------------------------- wiring
  let pending = 0;
  form.addEventListener("input", () => { clearTimeout(pending); pending = setTimeout(apply, 100); });
  form.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
  form.addEventListener("reset", () => { setTimeout(apply, 0); });
  document.getElementById("before").addEventListener("click", () => { page -= 1; render(); });
  document.getElementById("after").addEventListener("click", () => { page += 1; render(); });
  for (const cell of document.querySelectorAll(".grid button")) {
    cell.addEventListener("click", () => {
      const pressed = cell.getAttribute("aria-pressed") === "true";
      field("code").value = pressed ? "" : cell.dataset.code;
      field("bucket").value = pressed ? "" : cell.dataset.bucket || "";
      apply();
      document.getElementById("worklist").scrollIntoView();
    });
  }
  // page.html#110139337 opens the breaks of that return, page.html#rma-55 those of that RMA.
  function fromAddress() {
    const asked = /^#(?:rma-)?(\d+)$/.exec(location.hash);
    if (!asked) return;
    field("q").value = asked[1];
    apply();
    const first = list.querySelector(".entry");
    if (first) first.click();
  }
  window.addEventListener("hashchange", fromAddress);
  apply();
  fromAddress();
})();
