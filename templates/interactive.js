"use strict";
// Makes tables sortable, and moves the operating point. Everything is readable without it: it only adds.
// No network, no storage, no markup from text: names enter the page as text alone.
(() => {
  const RATES = ["precision", "recall", "f1", "fppi"];
  const LANGUAGE = document.documentElement.lang || "en";
  const WORDS = new Intl.Collator(LANGUAGE, { numeric: true }); // night/2 before night/10
  const mark = (kind) => new Intl.NumberFormat(LANGUAGE).formatToParts(12345.6).find((part) => part.type === kind).value;
  const [GROUP, DECIMAL] = ["group", "decimal"].map(mark);

  // ---- sortable tables -------------------------------------------------------------------------------------------

  const AFTER = { 0: 1, 1: -1, "-1": 0 }; // unsorted, rising, falling, and unsorted again
  const LEADING = /^([<>]?) ?([-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?)(?![\w-]|\.\d)/; // not the start of a hash or a date
  const BEYOND = { "": 0, "<": -1e-9, ">": 1e-9 }; // "> 2" lies above "2"

  /** What a cell sorts by: its first number, else its text; nothing when it is missing. */
  function sortKey(cell) {
    const text = cell.textContent.trim();
    if (!text || cell.classList.contains("missing")) return null;
    const found = LEADING.exec(text.replaceAll(GROUP, "").replaceAll(DECIMAL, "."));
    return found ? Number(found[2]) + BEYOND[found[1]] : text;
  }

  /** Numbers before texts; what is missing comes last, whichever way is up. */
  function compareKeys(a, b, direction) {
    if (a === null || b === null) return (a === null) - (b === null);
    if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
    if (typeof a === "number") return direction * (a - b);
    return direction * WORDS.compare(a, b);
  }

  /** Give each heading a button: rising, falling, as it was. Returns a function that sorts again. */
  function makeSortable(table) {
    const body = table.tBodies[0];
    const headings = [...table.tHead.rows[0].cells];
    let original = [...body.rows];
    let column = 0;
    let direction = 0;

    function apply() {
      const rows = original.map((row) => [row, sortKey(row.cells[column])]);
      if (direction) rows.sort((a, b) => compareKeys(a[1], b[1], direction)); // stable: equals keep their order
      body.append(...rows.map(([row]) => row));
      headings.forEach((heading, i) => {
        if (i !== column || !direction) heading.removeAttribute("aria-sort");
        else heading.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      });
    }

    headings.forEach((heading, i) => {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => {
        direction = i === column ? AFTER[direction] : 1;
        column = i;
        apply();
      });
      heading.append(button);
    });
    window.addEventListener("beforeprint", () => body.append(...original)); // paper shows what was written
    window.addEventListener("afterprint", apply);
    return (rows) => {
      original = rows || original;
      apply();
    };
  }

  // ---- the slider ------------------------------------------------------------------------------------------------

  /** The words of the page, in its language. */
  const words = () => document.getElementById("explore").dataset;
  /** A message with its values: "{0} at {1}". */
  const filled = (message, ...values) => message.replace(/\{(\d)\}/g, (_, place) => values[place]);
  /** A threshold as the tables write it. */
  const local = (threshold) => threshold.replace(".", DECIMAL);

  /** Thousandths as text: 312 is 0.312. The rounding was done where the tables were written. */
  function rateText(thousandths) {
    return (thousandths / 1000).toFixed(3).replace(".", DECIMAL);
  }

  function rateCell(rate, place) {
    const [values, lows, highs] = rate;
    const cell = document.createElement("td");
    if (values[place] === null) {
      cell.className = "missing";
      cell.textContent = words().undefined;
      return cell;
    }
    cell.className = "number";
    const comma = DECIMAL === "," ? " ; " : ", "; // a comma between numbers must not read as their decimal mark
    const ends =
      lows[place] === null ? words().unbounded : `[${rateText(lows[place])}${comma}${rateText(highs[place])}]`;
    cell.textContent = `${rateText(values[place])} ${ends}`;
    return cell;
  }

  function countCell(count, chosen) {
    const cell = document.createElement("td");
    cell.className = "number";
    const change = chosen === null ? 0 : count - chosen;
    const sign = change > 0 ? "+" : "";
    const text = count.toLocaleString(LANGUAGE);
    cell.textContent = change ? `${text} (${sign}${change})` : text;
    return cell;
  }

  function cellRow(cell, place, chosen) {
    const row = document.createElement("tr");
    const header = document.createElement("th");
    header.scope = "row";
    header.textContent = cell.note ? `${cell.name}: ${cell.note}` : cell.name;
    const before = (counts) => (chosen === null ? null : counts[chosen]);
    const missed = cell.tp.map((hits) => cell.objects - hits);
    row.append(
      header,
      ...RATES.map((name) => rateCell(cell.rates[name], place)),
      ...[cell.tp, cell.fp, missed].map((counts) => countCell(counts[place], before(counts))),
    );
    return row;
  }

  /** A line in every chart of the candidate at the threshold that is looked at. */
  function markCharts(section, threshold, thresholds) {
    const [first, last] = [Number(thresholds[0]), Number(thresholds.at(-1))];
    if (!section || first === last) return;
    for (const drawing of section.querySelectorAll(".by-threshold svg")) {
      const axis = drawing.querySelector(".axis");
      if (!axis) continue; // the sample of a legend
      const [left, right, bottom] = ["x1", "x2", "y1"].map((name) => Number(axis.getAttribute(name)));
      const x = (left + ((Number(threshold) - first) / (last - first)) * (right - left)).toFixed(1);
      const highest = Math.min(...[...drawing.querySelectorAll(".grid line")].map((l) => Number(l.getAttribute("y1"))));
      let line = drawing.querySelector(".here");
      if (!line) {
        line = document.createElementNS(drawing.namespaceURI, "line");
        line.setAttribute("class", "here");
        drawing.append(line);
      }
      for (const [name, value] of Object.entries({ x1: x, x2: x, y1: highest, y2: bottom })) {
        line.setAttribute(name, value);
      }
    }
  }

  // ---- boxes in pictures -----------------------------------------------------------------------------------------

  /** Whether something is there at a swept threshold: a detection where it is found, a miss where it is not. */
  const isThere = (style, found, place) => (style === "missed" ? place >= found : place < found);

  /** Show what is in a picture at a swept threshold; at the chosen one it says what was written. */
  function moveBoxes(figure, place, candidate) {
    const boxes = [...figure.querySelectorAll("path[data-found]")];
    const here = ["missed", "alarm"].map(() => 0);
    const count = (style) => { here[0] += style === "missed"; here[1] += style === "alarm"; };
    for (const box of boxes) {
      const style = box.getAttribute("class");
      const there = isThere(style, Number(box.dataset.found), place);
      if (there) box.removeAttribute("display");
      else box.setAttribute("display", "none");
      if (there) count(style);
    }
    const undrawn = (figure.dataset.undrawn || "").split(" ").filter(Boolean).map((one) => one.split(":"));
    const hidden = undrawn.filter(([style, found]) => isThere(style, Number(found), place));
    hidden.forEach(([style]) => count(style));
    const shown = boxes.filter((box) => !box.hasAttribute("display"));
    figure.querySelector(".halo").setAttribute("d", shown.map((box) => box.getAttribute("d")).join(" "));
    const told = words();
    const threshold = local(candidate.thresholds[place]);
    const counts = figure.querySelector(".counts");
    const parts = [filled(told.counts, threshold, here[0], counts.dataset.objects, here[1])];
    if (hidden.length) parts.push(filled(told.undrawn, hidden.length));
    const written = [counts, figure.querySelector("desc")];
    for (const part of written) {
      part.written ??= part.textContent;
      part.textContent = place === candidate.chosen ? part.written : parts.join("; ");
    }
  }

  const MOST_EXAMPLES = 6;

  /** Copies of the first picture of each variant, beside the slider, with what their boxes mean. */
  function makeExamples(part) {
    part.querySelector(".shots").before(document.querySelector("#failure-gallery .shot-legend").cloneNode(true));
    const firsts = [...document.querySelectorAll("#failure-gallery .shots")].map((shots) => shots.querySelector(".shot"));
    for (const first of firsts.filter(Boolean).slice(0, MOST_EXAMPLES)) {
      const copy = first.cloneNode(true);
      const drawing = copy.querySelector("svg");
      const named = [...copy.querySelectorAll("[id]")];
      named.forEach((one) => { one.id = `example-${one.id}`; });
      drawing.setAttribute("aria-labelledby", named.map((one) => one.id).join(" "));
      copy.querySelector("strong").textContent = drawing.querySelector("title").textContent; // with its variant
      part.querySelector(".shots").append(copy);
    }
  }

  /** The pictures of a candidate: those in its section, and for the first one those outside of any. */
  function picturesOf(number) {
    const home = (figure) => figure.closest("[data-candidate]")?.dataset.candidate ?? "0";
    return [...document.querySelectorAll(".shot")].filter((figure) => home(figure) === number);
  }

  /** Show the boxes of every candidate at its chosen threshold: paper shows what was written. */
  function boxesAsWritten(candidates) {
    candidates.forEach((candidate, i) => {
      if (candidate.chosen === null) return;
      picturesOf(String(i)).forEach((figure) => moveBoxes(figure, candidate.chosen, candidate));
    });
  }

  /** The slider of the gallery, which shows boxes of the first candidate. Returns what tells it the threshold. */
  function makeGallerySlider(candidate, moveTo) {
    const part = document.getElementById("gallery-slider");
    if (!part || candidate.chosen === null) return () => {};
    const examples = document.getElementById("tuning-examples");
    const [slider, value, reset] = ["gallery-threshold", "gallery-value", "gallery-reset"].map((id) =>
      document.getElementById(id),
    );
    makeExamples(examples);
    [slider.min, slider.max, slider.step] = ["0", String(candidate.thresholds.length - 1), "1"];
    slider.addEventListener("input", () => moveTo(Number(slider.value)));
    reset.addEventListener("click", () => moveTo(candidate.chosen));
    part.hidden = false;
    return (place) => {
      examples.hidden = place === null;
      if (place === null) return; // another candidate is looked at: its boxes are not here
      slider.value = String(place);
      value.textContent = local(candidate.thresholds[place]);
      slider.setAttribute("aria-valuetext", value.textContent);
      reset.disabled = place === candidate.chosen;
    };
  }

  function explore(candidates) {
    const [part, select, slider, value, reset, table] = [
      "explore", "tuning-candidate", "tuning-threshold", "tuning-value", "tuning-reset", "tuning-table",
    ].map((id) => document.getElementById(id));
    const sections = [...document.querySelectorAll("[data-candidate]")];
    const sortAgain = makeSortable(table);
    let current = candidates[0];
    const tellGallery = makeGallerySlider(candidates[0], (at) => {
      if (current !== candidates[0]) {
        select.value = "0";
        choose();
      }
      slider.value = current.thresholds[at];
      show();
    });

    /** Place of the swept threshold that is nearest to the slider. */
    function place() {
      const distance = current.thresholds.map((threshold) => Math.abs(Number(threshold) - Number(slider.value)));
      return distance.indexOf(Math.min(...distance));
    }

    function show() {
      const at = place();
      const threshold = current.thresholds[at];
      const told = words();
      const chosen = current.chosen === null ? told.none : filled(told.chosen, local(current.thresholds[current.chosen]));
      value.textContent = `${local(threshold)} (${at === current.chosen ? told.here : chosen})`;
      slider.setAttribute("aria-valuetext", local(threshold));
      reset.disabled = current.chosen === null || at === current.chosen;
      table.querySelector("caption span").textContent = filled(told.caption, current.name, local(threshold), chosen);
      table.tBodies[0].replaceChildren();
      sortAgain(current.cells.map((cell) => cellRow(cell, at, current.chosen)));
      markCharts(sections.find((one) => one.dataset.candidate === select.value), threshold, current.thresholds);
      tellGallery(current === candidates[0] ? at : null);
      if (current.chosen !== null) picturesOf(select.value).forEach((figure) => moveBoxes(figure, at, current));
    }

    function toChosen() {
      slider.value = current.thresholds[current.chosen === null ? 0 : current.chosen];
      show();
    }

    function choose() {
      current = candidates[Number(select.value)];
      const thresholds = current.thresholds.map(Number);
      const steps = thresholds.slice(1).map((threshold, i) => threshold - thresholds[i]);
      slider.min = current.thresholds[0];
      slider.max = current.thresholds.at(-1);
      slider.step = steps.length ? String(Number(Math.min(...steps).toFixed(6))) : "any";
      sections.forEach((one) => { one.hidden = one.dataset.candidate !== select.value; });
      toChosen();
    }

    candidates.forEach((candidate, i) => select.append(new Option(candidate.name, String(i))));
    document.getElementById("tuning-candidate-label").hidden = candidates.length < 2;
    select.addEventListener("change", choose);
    slider.addEventListener("input", show);
    reset.addEventListener("click", toChosen);
    window.addEventListener("beforeprint", () => boxesAsWritten(candidates));
    window.addEventListener("afterprint", show);
    choose();
    part.hidden = false;
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    if (table.id !== "tuning-table") makeSortable(table);
  }
  const data = document.getElementById("tuning-data");
  const candidates = data ? JSON.parse(data.textContent).candidates : [];
  if (candidates.length) explore(candidates);
})();
