// What moves on the pages: the list of videos, the timeline, the choice of pictures. Texts of strangers become text
// nodes and nothing else.
"use strict";
(() => {
  const el = (name, attributes = {}, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const svg = (name, attributes = {}, ...children) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  };
  const two = (number) => String(number).padStart(2, "0");
  const clock = (seconds) => {
    const whole = Math.floor(seconds);
    return `${Math.floor(whole / 3600)}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)}`;
  };
  const words = (name) => name.replaceAll("_", " ");

  // ---- the list of videos ------------------------------------------------------------------------------------------
  const PAGE = 50;
  const ORDERS = {
    "as listed": null,
    "least kept": (v) => (v.frames ? v.kept / v.frames : 2),
    "most uncertain": (v) => -v.uncertain,
    "most turned by smoothing": (v) => -v.flipped,
    "masks cover most": (v) => -v.covered,
    "most findings": (v) => -v.found,
    longest: (v) => -v.seconds,
  };

  const list = (form, data) => {
    const videos = data.rows.map((row) => Object.fromEntries(data.columns.map((name, i) => [name, row[i]])));
    const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
    for (const video of videos) video.text = fold([video.id, video.title, ...video.procedures].join("\n"));
    const table = document.getElementById("list");
    const pager = document.getElementById("pager");
    const distinct = (get) => [...new Set(videos.flatMap(get))].filter(Boolean).sort();
    const fill = (name, values, first) => {
      if (first) form[name].append(el("option", { value: "" }, first));
      for (const value of values) form[name].append(el("option", { value }, words(value)));
    };
    fill("state", distinct((v) => v.state), "all");
    fill("reason", distinct((v) => v.reason), "all");
    fill("procedure", distinct((v) => v.procedures), "all");
    fill("order", Object.keys(ORDERS));
    const heads = [["video"], ["outcome"], ["length", 1], ["kept", 1], ["frames kept", 1], ["uncertain", 1], ["turned", 1],
      ["masked", 1], ["findings", 1]];
    table.tHead.append(el("tr", {}, ...heads.map(([name, num]) => el("th", { scope: "col", class: num ? "num" : "" }, name))));
    let page = 0;

    const line = (v) => {
      const judged = v.stage !== "download" && v.frames > 0;
      const cell = (text) => el("td", { class: "num" }, text);
      const count = (value) => cell(judged ? value.toLocaleString("en") : "–");
      const first = el("td", {}, el("a", { href: `videos/${v.id}/index.html` }, el("bdi", {}, v.title || v.id)));
      first.append(el("span", { class: "sub" }, v.title && v.title !== v.id ? v.id + (v.procedures.length ? " · " : "") : "", el("bdi", {}, v.procedures.join(", "))));
      const outcome = el("td", {}, el("span", { class: `chip ${v.state}` }, v.state));
      if (v.state !== "done") outcome.append(el("span", { class: "sub" }, v.reason ? `${v.stage}: ${words(v.reason)}` : v.stage));
      return el("tr", {}, first, outcome, cell(v.seconds ? clock(v.seconds) : "–"),
        cell(judged && v.seconds ? `${Math.round((100 * v.seconds_kept) / v.seconds)} %` : "–"), count(v.kept), count(v.uncertain),
        count(v.flipped), cell(judged ? `${(100 * v.covered).toFixed(1)} %` : "–"), count(v.found));
    };
    const show = () => {
      const parts = fold(form.q.value).split(/\s+/).filter(Boolean);
      let found = videos.filter((v) =>
        parts.every((part) => v.text.includes(part)) &&
        (!form.state.value || v.state === form.state.value) &&
        (!form.reason.value || v.reason === form.reason.value) &&
        (!form.procedure.value || v.procedures.includes(form.procedure.value)));
      const key = ORDERS[form.order.value];
      if (key) found = found.map((v) => [key(v), v]).sort((a, b) => a[0] - b[0]).map(([, v]) => v);
      const pages = Math.max(1, Math.ceil(found.length / PAGE));
      page = Math.min(page, pages - 1);
      table.tBodies[0].replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(line));
      const total = videos.length.toLocaleString("en");
      document.getElementById("count").textContent =
        found.length === videos.length ? `${total} videos` : `${found.length.toLocaleString("en")} of ${total} videos`;
      const turn = (step, label) => {
        const button = el("button", { type: "button" }, label);
        button.disabled = page + step < 0 || page + step >= pages;
        button.addEventListener("click", () => { page += step; show(); table.scrollIntoView({ block: "nearest" }); });
        return button;
      };
      pager.replaceChildren(turn(-1, "Previous"), `page ${page + 1} of ${pages}`, turn(1, "Next"));
      pager.hidden = pages === 1;
    };
    const fromAddress = () => {
      const query = location.hash.match(/^#videos\?(.*)$/);
      if (!query) return;
      for (const [name, value] of new URLSearchParams(query[1])) if (form.elements[name]) form.elements[name].value = value;
      document.getElementById("videos").scrollIntoView();
      page = 0;
    };
    form.addEventListener("input", () => { page = 0; show(); });
    form.addEventListener("submit", (event) => event.preventDefault());
    window.addEventListener("hashchange", () => { fromAddress(); show(); });
    fromAddress();
    show();
    form.hidden = false;
    document.getElementById("no-list").hidden = true;
  };

  // ---- the timeline ------------------------------------------------------------------------------------------------
  const CURVE = 96;
  const LEFT = 74;

  const timeline = (place, line, pictures) => {
    const count = line.n.length;
    const end = count > 1 ? line.t[count - 1] + (line.t[count - 1] - line.t[0]) / (count - 1) : 1;
    const masks = new Map(line.masks.map(([row, share, boxes]) => [row, { share, boxes }]));
    const findings = new Map(line.findings.map(([row, kinds]) => [row, kinds]));
    const shown = new Map(pictures.map((picture) => [picture.row, picture]));
    let cursor = 0;
    let x = null;
    let mark = null;
    const starts = (row) => (row < count ? line.t[row] : end);

    const runs = (row, top, height, kind) => {
      const drawn = [];
      for (let i = 0, from = 0; i <= count; i++) {
        if (i < count && row[i] === row[from]) continue;
        drawn.push([row[from], from, i]);
        from = i;
      }
      // Short runs are drawn last and a pixel wide at least, so that a lone second of a long video is seen.
      drawn.sort((a, b) => b[2] - b[1] - (a[2] - a[1]));
      return drawn.map(([code, from, to]) => svg("rect", { class: kind(code), x: x(starts(from)), y: top, height,
        width: Math.max(1, x(starts(to)) - x(starts(from))) }));
    };
    const curve = (values, top, name) => {
      // One column a pixel: its extremes, so that no peak is lost.
      let path = "";
      let column = -1;
      let low = 0;
      let high = 0;
      const flush = () => { if (column >= 0) path += `${path ? "L" : "M"}${column},${top + CURVE * (1 - high / 1000)}L${column},${top + CURVE * (1 - low / 1000)}`; };
      values.forEach((value, i) => {
        const at = Math.round(2 * x((starts(i) + starts(i + 1)) / 2)) / 2;
        if (at === column) { low = Math.min(low, value); high = Math.max(high, value); return; }
        flush();
        [column, low, high] = [at, value, value];
      });
      flush();
      return svg("path", { class: name, d: path });
    };
    const draw = () => {
      const width = Math.max(240, place.clientWidth);
      const left = width < 480 ? 0 : LEFT;
      const label = (words, y) => (left ? [svg("text", { x: 0, y }, words)] : []);
      x = (seconds) => left + (seconds / end) * (width - left);
      const parts = [];
      const rule = (y, name = "rule") => parts.push(svg("line", { class: name, x1: left, x2: width, y1: y, y2: y }));
      let y = 6;
      const at = (share) => y + CURVE * (1 - share);
      const [low, high] = line.band;
      if (high > low) parts.push(svg("rect", { class: "band", x: left, width: width - left, y: at(high), height: at(low) - at(high) }));
      rule(at(0)); rule(at(1)); rule(at(line.threshold), "threshold");
      parts.push(...label("probability", at(0.5) + 4));
      parts.push(curve(line.p, y, line.smoothed ? "raw" : "p"));
      if (line.smoothed) parts.push(curve(line.smoothed, y, "p"));
      y += CURVE + 8;
      const strip = (words, height, elements) => { parts.push(...label(words, y + height / 2 + 4), ...elements(y, height)); y += height + 5; };
      strip("verdict", 16, (top, height) => runs(line.verdict, top, height, (code) => code));
      strip("kept", 9, (top, height) => {
        const whole = svg("rect", { class: "lost", x: left, width: width - left, y: top, height });
        if (!line.kept) return [whole];
        const [from, to] = line.kept.map(starts);
        return [whole, svg("rect", { class: "keep", x: x(from), width: Math.max(1, x(to) - x(from)), y: top, height })];
      });
      strip("shots", 9, (top, height) => line.shots.map((row) => svg("line", { class: "shot", x1: x(starts(row)), x2: x(starts(row)), y1: top, y2: top + height })));
      const ticks = (rows, name, size) => (top, height) => rows.map((row) => svg("rect", { class: name, x: x(starts(row)), y: top + height * (1 - size(row)),
        height: height * size(row), width: Math.max(1, x(starts(row + 1)) - x(starts(row))) }));
      const most = Math.max(100, ...[...masks.values()].map((found) => found.share));
      if (masks.size) strip("masks", 20, ticks([...masks.keys()], "mask", (row) => Math.max(0.06, masks.get(row).share / most)));
      if (findings.size) strip("findings", 10, ticks([...findings.keys()], "finding", () => 1));
      strip("pictures", 8, (top) => [...shown.keys()].map((row) => svg("circle", { class: "shown", cx: x((starts(row) + starts(row + 1)) / 2), cy: top + 4, r: 2.5 })));
      const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200];
      const step = steps.find((seconds) => x(seconds) - x(0) > 64) ?? 86400;
      for (let t = 0; t <= end; t += step) {
        const anchor = x(t) > width - 24 ? "end" : t ? "middle" : "start";
        parts.push(svg("text", { x: x(t), y: y + 10, "text-anchor": anchor }, clock(t)));
      }
      mark = svg("line", { class: "cursor", y1: 0, y2: y });
      parts.push(mark);
      place.replaceChildren(svg("svg", { viewBox: `0 0 ${width} ${y + 14}`, height: y + 14, "aria-hidden": "true" }, ...parts));
      point(cursor);
    };
    const NAMES = { s: "surgical", n: "non-surgical", u: "uncertain" };
    const tell = (row) => {
      const parts = [clock(line.t[row]), NAMES[line.verdict[row]]];
      parts.push(`p ${(line.p[row] / 1000).toFixed(2)}${line.smoothed ? `, smoothed ${(line.smoothed[row] / 1000).toFixed(2)}` : ""}`);
      parts.push(line.kept && row >= line.kept[0] && row < line.kept[1] ? "kept" : "cut away");
      if (masks.has(row)) parts.push(`${masks.get(row).boxes} boxes, ${(masks.get(row).share / 10).toFixed(1)} %`);
      if (findings.has(row)) parts.push(findings.get(row).join(", "));
      return parts.join(" · ");
    };
    const point = (row) => {
      cursor = Math.max(0, Math.min(count - 1, row));
      const at = x((starts(cursor) + starts(cursor + 1)) / 2);
      mark.setAttribute("x1", at);
      mark.setAttribute("x2", at);
      const said = tell(cursor);
      document.getElementById("readout").textContent = said;
      place.setAttribute("aria-valuenow", cursor);
      place.setAttribute("aria-valuetext", said);
    };
    const rowAt = (event) => {
      const box = place.getBoundingClientRect();
      const left = x(0);
      const seconds = ((event.clientX - box.left) * (Math.max(240, place.clientWidth) / box.width) - left) / (x(end) - left) * end;
      let [low, high] = [0, count - 1];
      while (low < high) { const middle = (low + high + 1) >> 1; if (line.t[middle] <= seconds) low = middle; else high = middle - 1; }
      return low;
    };
    const goToPicture = () => {
      const rows = [...shown.keys()];
      if (!rows.length) return;
      const nearest = rows.reduce((a, b) => (Math.abs(b - cursor) < Math.abs(a - cursor) ? b : a));
      location.hash = `n${shown.get(nearest).n}`;
    };
    place.addEventListener("pointermove", (event) => point(rowAt(event)));
    place.addEventListener("click", (event) => { point(rowAt(event)); goToPicture(); });
    place.addEventListener("keydown", (event) => {
      const jump = { ArrowLeft: -1, ArrowRight: 1, PageUp: 30, PageDown: -30, Home: -count, End: count }[event.key];
      if (event.key === "Enter") goToPicture();
      else if (jump === undefined) return;
      else point(cursor + jump);
      event.preventDefault();
    });
    new ResizeObserver(draw).observe(place);
    draw();
  };

  // ---- the choice of pictures --------------------------------------------------------------------------------------
  const choice = (place, pictures) => {
    const figures = [...document.querySelectorAll("#frames > .frame")];
    const kinds = ["kept", "dropped", "uncertain", "least sure", "flipped", "masked", "finding"].filter((kind) =>
      pictures.some((picture) => picture.whys.includes(kind)));
    const buttons = ["all", ...kinds].map((kind) => {
      const number = kind === "all" ? figures.length : pictures.filter((picture) => picture.whys.includes(kind)).length;
      const button = el("button", { type: "button", "aria-pressed": String(kind === "all") }, kind, el("span", { class: "soft" }, String(number)));
      button.addEventListener("click", () => {
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        for (const figure of figures) figure.hidden = kind !== "all" && !figure.dataset.whys.split(",").includes(kind);
      });
      return button;
    });
    const boxes = el("button", { type: "button", "aria-pressed": "true" }, "boxes drawn");
    boxes.addEventListener("click", () => {
      const hidden = document.getElementById("frames").classList.toggle("no-boxes");
      boxes.setAttribute("aria-pressed", String(!hidden));
    });
    place.append(...buttons, boxes);
    place.hidden = false;
  };

  const form = document.getElementById("search");
  if (form && window.curateVideos) list(form, window.curateVideos);
  const block = document.getElementById("data");
  const data = block && JSON.parse(block.textContent);
  if (data) {
    const { timeline: line, pictures } = data;
    if (line) {
      timeline(document.getElementById("timeline"), line, pictures);
      choice(document.getElementById("filters"), pictures);
    }
  }
})();
