"use strict";

const el = (id) => document.getElementById(id);
const state = { queue: [], place: 0, frame: null, chosen: -1, draft: null, moving: null, busy: false, looked: 0 };
const waiting = [];
let from = null;

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
  };
  const answer = await fetch(path, options);
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error || answer.statusText);
  return data;
}

function say(text, wrong = false) {
  el("message").textContent = text;
  el("message").className = wrong ? "wrong" : "";
}

function seconds(at) {
  return (at / 1000).toFixed(at % 1000 ? 2 : 0) + " s";
}

function showProgress(progress) {
  const left = Math.max(state.queue.length - state.place, 0);
  el("progress").textContent = `${progress.who}: ${progress.kinds.frame} frames, ${progress.kinds.trim} trims, ` +
    `${progress.kinds.box} boxes, ${progress.kinds.video} videos decided; ${left} left here` +
    (progress.dissents ? `; ${progress.dissents} dissents` : "");
  el("progress").dataset.frames = progress.kinds.frame;
  el("progress").dataset.left = left;
  state.progress = progress;
}

async function loadQueue() {
  const order = el("order").value;
  el("which").hidden = order !== "video";
  say("looking for frames ...");
  const query = new URLSearchParams({ order, video: order === "video" ? el("video").value : "" });
  const found = await ask("api/queue?" + query);
  state.queue = found.frames;
  state.place = 0;
  say(state.queue.length ? found.note : "nothing is left here");
  showProgress(state.progress);
  await show();
}

async function show() {
  const item = state.queue[state.place];
  from = null;
  state.draft = null;
  state.moving = null;
  state.chosen = -1;
  if (!item) {
    state.frame = null;
    document.body.dataset.frame = "";
    el("picture").removeAttribute("src");
    for (const id of ["verdict", "said", "where", "why"]) el(id).textContent = "";
    el("boxes").replaceChildren();
    if (state.queue.length) say("all of these are done: choose again what to show");
    return;
  }
  await showFrame(item.video, item.at, item.why);
}

async function showFrame(video, at, why) {
  const query = new URLSearchParams({ video, at });
  const frame = await ask("api/frame?" + query);
  await showPicture("picture?" + query, `frame of ${video} at ${seconds(at)}`);
  state.frame = frame;
  el("verdict").textContent = frame.verdict;
  el("verdict").className = frame.verdict;
  const label = frame.label ? `you said ${frame.label}` : frame.settled ? `others said ${frame.settled}` : "";
  el("said").textContent = `p ${frame.p.toFixed(2)}${label ? "; " + label : ""}`;
  const trim = frame.trim ? `kept ${seconds(frame.trim[0])} to ${seconds(frame.trim[1])}` : "nothing is kept";
  el("where").textContent = `${video} ${frame.title} at ${seconds(at)}, ${frame.kept ? "inside" : "outside"}; ${trim}` +
    (frame.dropped ? "; dropped" : "");
  el("report").hidden = !frame.report;
  el("report").href = frame.report;
  el("why").textContent = why || "";
  drawBoxes();
  drawTimeline();
  document.body.dataset.frame = `${video}@${at}`;
  const next = state.queue[state.place + 1];
  if (next) new Image().src = "picture?" + new URLSearchParams({ video: next.video, at: next.at });
}

function showPicture(address, alt) {
  const picture = el("picture");
  if (picture.getAttribute("src") === address) return null;
  const come = new Promise((done) => {
    picture.onload = done;
    picture.onerror = () => done(say("the picture of this frame cannot be shown", true));
  });
  picture.src = address;
  picture.alt = alt;
  return come;
}

function drawBoxes() {
  const frame = state.frame;
  const place = (box, name, kind) => {
    const div = document.createElement("div");
    const [width, height] = frame.size;
    div.className = name;
    div.style.left = `${100 * box[0] / width}%`;
    div.style.top = `${100 * box[1] / height}%`;
    div.style.width = `${100 * (box[2] - box[0]) / width}%`;
    div.style.height = `${100 * (box[3] - box[1]) / height}%`;
    const text = document.createElement("span");
    text.textContent = kind;
    div.append(text);
    return div;
  };
  const all = frame.boxes.map((b, i) =>
    place(b.box, `${b.model === "reviewer" ? "reviewer" : ""} ${i === state.chosen ? "chosen" : ""}`, b.kind));
  if (state.draft) all.push(place(state.draft, "draft", el("kind").value));
  el("boxes").replaceChildren(...all);
}

function drawTimeline() {
  const canvas = el("timeline");
  const frame = state.frame;
  canvas.width = canvas.clientWidth * devicePixelRatio;
  canvas.height = 56 * devicePixelRatio;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const colour = { s: style.getPropertyValue("--surgical"), n: style.getPropertyValue("--non"),
    u: style.getPropertyValue("--uncertain") };
  const points = frame.timeline;
  const last = points[points.length - 1][0] || 1;
  const x = (at) => at / last * (canvas.width - 2);
  context.clearRect(0, 0, canvas.width, canvas.height);
  if (frame.trim) {
    context.fillStyle = style.getPropertyValue("--line");
    context.fillRect(x(frame.trim[0]), 0, x(frame.trim[1]) - x(frame.trim[0]), canvas.height);
  }
  const wide = Math.max(canvas.width / points.length, 1);
  for (const [at, p, said, decided] of points) {
    const tall = Math.max(p * (canvas.height - 8), 2);
    context.fillStyle = colour[said];
    context.fillRect(x(at), canvas.height - tall, wide, tall);
    if (decided) context.fillRect(x(at), 0, wide, 4);
  }
  context.fillStyle = style.getPropertyValue("--mark");
  context.fillRect(x(frame.at) - 1, 0, 3, canvas.height);
}

async function decide(kind, facts, stay) {
  const { video } = state.frame;
  const made = await ask("api/decide", { video, kind, facts });
  state.looked += 1;
  say(`${made.decision.said}: ${video}` + (made.decision.at === null ? "" : ` at ${seconds(made.decision.at)}`));
  if (!stay) state.place += 1;
  showProgress(made.progress);
  await (stay ? showFrame(video, state.frame.at, el("why").textContent) : show());
}

const opposite = { surgical: "non-surgical", "non-surgical": "surgical" };

function label(name) {
  return decide("frame", { at: state.frame.at, label: name }, false);
}

function flip() {
  const { verdict, p } = state.frame;
  return label(opposite[verdict] || (p >= 0.5 ? "non-surgical" : "surgical"));
}

function moveTrim(edge, by) {
  const { trim, times } = state.frame;
  const all = [times[0], times[times.length - 1] + 1000];
  const from = (trim || all)[edge === "start" ? 0 : 1];
  return setTrim(edge, Math.max(from + by * 1000, 0));
}

function setTrim(edge, at) {
  const facts = {};
  facts[edge] = at / 1000;
  if (!state.frame.trim) {
    const { times } = state.frame;
    const other = edge === "start" ? "end" : "start";
    facts[other] = (edge === "start" ? times[times.length - 1] + 1000 : times[0]) / 1000;
  }
  return decide("trim", facts, true);
}

function undo() {
  return ask("api/undo", {}).then(async (made) => {
    showProgress(made.progress);
    const back = state.queue.findIndex((item) =>
      item.video === made.decision.video && item.at === made.decision.at);
    if (made.decision.kind === "frame" && back >= 0) {
      state.place = back;
      await show();
    } else if (state.frame) {
      await showFrame(state.frame.video, state.frame.at, el("why").textContent);
    }
    showProgress(made.progress);
    say(`taken back: ${made.decision.said}`);
  });
}

function startBox() {
  const [width, height] = state.frame.size;
  state.moving = null;
  state.draft = [width * 3 >> 3, height * 3 >> 3, width * 5 >> 3, height * 5 >> 3];
  say("arrows move the box, with Shift its size; or draw it; Enter sets it");
  drawBoxes();
}

function chooseBox() {
  if (!state.frame.boxes.length) return say("there is no box here", true);
  state.chosen = (state.chosen + 1) % state.frame.boxes.length;
  drawBoxes();
}

function moveBox() {
  const chosen = state.frame.boxes[state.chosen];
  if (!chosen) return say("choose a box with Tab first", true);
  state.moving = chosen.box;
  state.draft = [...chosen.box];
  el("kind").value = chosen.kind;
  say("arrows move the box, with Shift its size; Enter sets it");
  drawBoxes();
}

function until() {
  const lasting = Math.max(Number(el("lasting").value) || 0, 0);
  return lasting ? { until: state.frame.at + Math.round(lasting * 1000) } : {};
}

function setBox() {
  if (!state.draft) return say("there is no box to set: add one with b", true);
  const common = { at: state.frame.at, region: el("kind").value, ...until() };
  const facts = state.moving
    ? { ...common, action: "move", box: state.moving, to: state.draft }
    : { ...common, action: "add", box: state.draft };
  state.draft = null;
  state.moving = null;
  return decide("box", facts, true);
}

function deleteBox() {
  const chosen = state.frame.boxes[state.chosen];
  if (!chosen) return say("choose a box with Tab first", true);
  state.chosen = -1;
  return decide("box", { at: state.frame.at, action: "delete", box: chosen.box, ...until() }, true);
}

function nudge(key, size) {
  const [width, height] = state.frame.size;
  const step = Math.max(Math.round(width / 100), 1);
  const dx = { ArrowLeft: -step, ArrowRight: step }[key] || 0;
  const dy = { ArrowUp: -step, ArrowDown: step }[key] || 0;
  let [x1, y1, x2, y2] = state.draft;
  if (size) {
    x2 = Math.min(Math.max(x2 + dx, x1 + 2), width);
    y2 = Math.min(Math.max(y2 + dy, y1 + 2), height);
  } else {
    const mx = Math.min(Math.max(dx, -x1), width - x2);
    const my = Math.min(Math.max(dy, -y1), height - y2);
    [x1, x2, y1, y2] = [x1 + mx, x2 + mx, y1 + my, y2 + my];
  }
  state.draft = [x1, y1, x2, y2];
  drawBoxes();
}

async function step(by) {
  state.place = Math.min(Math.max(state.place + by, 0), Math.max(state.queue.length - 1, 0));
  await show();
  showProgress(state.progress);
}

const actions = {
  a: () => label(state.frame.verdict),
  f: flip,
  u: () => label("uncertain"),
  z: undo,
  ArrowLeft: () => step(-1),
  ArrowRight: () => step(1),
  "[": () => moveTrim("start", -1),
  "]": () => moveTrim("start", 1),
  "{": () => moveTrim("end", -1),
  "}": () => moveTrim("end", 1),
  s: () => setTrim("start", state.frame.at),
  e: () => setTrim("end", state.frame.at + 1),
  b: startBox,
  Tab: chooseBox,
  m: moveBox,
  x: deleteBox,
  Enter: setBox,
  Escape: () => { state.draft = null; state.moving = null; state.chosen = -1; drawBoxes(); },
  D: () => decide("video", { action: "drop" }, true),
  K: () => decide("video", { action: "keep" }, true),
  O: () => decide("video", { action: "opt_out" }, true),
};

const ofAnyFrame = ["z", "ArrowLeft", "ArrowRight", "Escape"];
const heldDown = ["[", "]", "{", "}"];
const shown = () => document.body.dataset.frame || "";

// What is asked for while something is under way waits for its turn. What speaks of a frame is told, not followed,
// where another one has come up in the meantime; after an error nothing that waited is done.
async function inTurn(doing, frame) {
  waiting.push({ doing, frame });
  if (state.busy) return;
  state.busy = true;
  try {
    while (waiting.length) {
      const next = waiting.shift();
      if (next.frame === undefined || next.frame === shown()) await next.doing();
      else say("that key came before this frame was shown: press it again", true);
    }
  } catch (error) {
    waiting.length = 0;
    say(error.message, true);
  } finally {
    state.busy = false;
  }
}

function press(key, shift = false) {
  inTurn(() => {
    if (state.draft && key.startsWith("Arrow")) return nudge(key, shift);
    if (actions[key] && (state.frame || ["z", "ArrowLeft"].includes(key))) return actions[key]();
  }, ofAnyFrame.includes(key) ? undefined : shown());
}

document.addEventListener("keydown", (event) => {
  const { key } = event;
  const typing = ["SELECT", "INPUT"].includes(event.target.tagName);
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const drafting = state.draft || state.busy;
  if (!(key in actions) && !(drafting && key.startsWith("Arrow"))) return;
  if (key === "Tab" && (event.shiftKey || !state.frame || !(state.busy || state.frame.boxes.length))) return;
  if (key === "Enter" && event.target.tagName === "BUTTON" && !drafting) return;
  event.preventDefault();
  if (event.repeat && (state.busy || !(heldDown.includes(key) || key.startsWith("Arrow")))) return;
  press(key, event.shiftKey);
});
for (const button of document.querySelectorAll("button[data-key]"))
  button.addEventListener("click", () => { press(button.dataset.key); button.blur(); });

const pixel = (event) => {
  const area = el("stage").getBoundingClientRect();
  const [width, height] = state.frame.size;
  const clamp = (value, most) => Math.min(Math.max(Math.round(value), 0), most);
  return [clamp((event.clientX - area.left) / area.width * width, width),
    clamp((event.clientY - area.top) / area.height * height, height)];
};
el("stage").addEventListener("pointerdown", (event) => {
  if (!state.frame) return;
  event.preventDefault();
  from = pixel(event);
  state.moving = null;
});
addEventListener("pointermove", (event) => {
  if (!from) return;
  const to = pixel(event);
  const box = [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])];
  if (box[2] - box[0] > 2 && box[3] - box[1] > 2) { state.draft = box; drawBoxes(); }
});
addEventListener("pointerup", () => {
  if (from && state.draft) say("Enter sets the box, Esc leaves it");
  from = null;
});
el("timeline").addEventListener("click", (event) => {
  if (!state.frame) return;
  const { times, video } = state.frame;
  const wanted = event.offsetX / el("timeline").clientWidth * times[times.length - 1];
  const at = times.reduce((best, time) => Math.abs(time - wanted) < Math.abs(best - wanted) ? time : best, times[0]);
  inTurn(() => {
    state.queue.splice(state.place, 0, { video, at, why: "chosen by hand" });
    return show();
  }, shown());
});
addEventListener("resize", () => { if (state.frame) drawTimeline(); });
for (const id of ["order", "video"])
  el(id).addEventListener("change", (event) => {
    event.target.blur();
    inTurn(loadQueue);
  });

inTurn(async () => {
  const found = await ask("api/state");
  state.progress = found.progress;
  for (const kind of found.kinds) el("kind").add(new Option(kind, kind));
  for (const video of found.videos) el("video").add(new Option(`${video.id} ${video.title}`, video.id));
  const wanted = new URLSearchParams(location.search);
  const order = wanted.get("order");
  if (["next", "sample", "video"].includes(order)) el("order").value = order;
  if (wanted.get("video")) { el("order").value = "video"; el("video").value = wanted.get("video"); }
  await loadQueue();
});
