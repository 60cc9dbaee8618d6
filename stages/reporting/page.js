"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  // ---- tables: click a heading to sort the methods; floors stay below ----
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    const body = table.tBodies[0];
    heads.forEach((head, place) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const best = head.dataset.direction === "higher" ? "descending" : "ascending";
        const other = best === "ascending" ? "descending" : "ascending";
        const order = head.getAttribute("aria-sort") === best ? other : best;
        heads.forEach((h) => h.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", order);
        const sign = order === "ascending" ? 1 : -1;
        const rows = [...body.rows].map((row) => ({ row, value: row.cells[place].dataset.value }));
        rows.sort((a, b) => {
          if (place === 0) return sign * a.row.cells[0].textContent.localeCompare(b.row.cells[0].textContent);
          if (a.value === "" || b.value === "") return (a.value === "") - (b.value === "");
          return sign * (Number(a.value) - Number(b.value));
        });
        body.append(...rows.map((entry) => entry.row));
      });
    });
  }

  // ---- one clock for all films of a clip ----
  const player = {
    films: [], fps: 25, frames: 1, rate: 1, loop: true, playing: false, wanted: 0, token: 0,
    master() { return this.films[0]; },
    time(frame) { return (frame + 0.5) / this.fps; }, // the middle of a frame: no rounding can show its neighbour
    frame() {
      if (!this.films.length) return 0;
      if (!this.playing) return this.wanted;
      return Math.min(this.frames - 1, Math.max(0, Math.floor(this.master().currentTime * this.fps + 1e-6)));
    },
    seek(frame) {
      this.wanted = Math.min(this.frames - 1, Math.max(0, Math.round(frame)));
      for (const film of this.films) film.currentTime = Math.min(this.time(this.wanted), last(film));
      show();
    },
    async play() {
      if (!this.films.length || this.playing) return;
      if (this.wanted >= this.frames - 1) this.seek(0);
      const token = ++this.token;
      await Promise.all(this.films.map(settled));
      if (token !== this.token) return;
      this.playing = true;
      for (const film of this.films) film.playbackRate = this.rate;
      await Promise.all(this.films.map((film) => film.play().catch(() => {})));
      show();
      requestAnimationFrame(tick);
    },
    pause() {
      this.token++;
      if (!this.playing) return;
      const frame = this.frame();
      this.playing = false;
      for (const film of this.films) film.pause();
      this.seek(frame);
    },
    toggle() { if (this.playing) this.pause(); else this.play(); },
    seekPaused(frame) { this.pause(); this.seek(frame); },
    step(by) { this.pause(); this.seek(this.wanted + by); },
    clear() {
      this.token++;
      this.playing = false;
      this.films = [];
      this.wanted = 0;
    },
  };
  const last = (film) => (Number.isFinite(film.duration) ? Math.max(0, film.duration - 0.5 / player.fps) : 1e9);
  const settled = (film) => new Promise((done) => {
    const ready = () => film.error || (film.readyState >= 3 && !film.seeking);
    if (ready()) return done();
    const names = ["canplay", "seeked", "error", "loadeddata"];
    const check = () => {
      if (!ready()) return;
      names.forEach((name) => film.removeEventListener(name, check));
      done();
    };
    names.forEach((name) => film.addEventListener(name, check));
    setTimeout(() => { names.forEach((name) => film.removeEventListener(name, check)); done(); }, 4000);
  });
  const tick = () => {
    if (!player.playing || !player.films.length) return;
    const master = player.master();
    if (master.ended || master.currentTime >= player.frames / player.fps - 0.01) {
      if (player.loop) {
        player.playing = false;
        player.seek(0);
        player.play();
      } else {
        player.playing = false;
        for (const film of player.films) film.pause();
        player.seek(player.frames - 1);
      }
      return;
    }
    for (const film of player.films.slice(1)) {
      if (film.seeking || film.ended) continue;
      const ahead = film.currentTime - master.currentTime;
      if (Math.abs(ahead) > 4 / player.fps) {
        film.currentTime = master.currentTime;
      } else if (Math.abs(ahead) > 0.15 / player.fps) { // drift: a little slower or faster until they agree
        film.playbackRate = player.rate * Math.min(1.6, Math.max(0.6, 1 - 8 * ahead));
      } else if (film.playbackRate !== player.rate) {
        film.playbackRate = player.rate;
      }
    }
    show();
    requestAnimationFrame(tick);
  };

  // ---- the clip browser ----
  if (!data.clips.length) return;
  const urls = [];
  let current = -1;
  const number = (column, value) => {
    if (value === null || value === undefined) return "–";
    return column.scientific ? value.toExponential(2) : value.toFixed(column.decimals);
  };
  const column = () => data.columns[Number($("metric").value)];
  const method = () => Number($("method").value);

  function ordered() {
    const c = column();
    if (!c) return data.clips.map((_, place) => place);
    const sign = c.direction === "lower" ? -1 : 1; // worst first
    const of = (place) => (data.clips[place].values[c.id] || {})[method()];
    const known = (value) => value !== null && value !== undefined;
    return data.clips.map((_, place) => place).sort((a, b) => {
      if (!known(of(a)) || !known(of(b))) return known(of(a)) - known(of(b));
      const worst = sign * (of(a) - of(b));
      return $("order").value === "best" ? -worst : worst;
    });
  }

  function list() {
    const places = $("order").value === "name" ? data.clips.map((_, place) => place) : ordered();
    const c = column();
    $("clip-list").replaceChildren(...places.map((place, rank) => {
      const clip = data.clips[place];
      const posters = clip.tiles.filter((tile) => tile.poster);
      const poster = posters.find((tile) => tile.method === method()) || posters[0];
      const value = c ? number(c, (clip.values[c.id] || {})[method()]) : "";
      const button = make("button", { type: "button", title: clip.name });
      button.dataset.place = place;
      if (poster) button.append(make("img", { src: poster.poster, alt: "" }));
      button.append(make("span", { className: "name", textContent: clip.name }));
      const ends = { worst: ["worst", "best"], best: ["best", "worst"] }[$("order").value];
      const end = rank === 0 ? 0 : rank === places.length - 1 ? 1 : -1;
      const word = c && ends && places.length > 1 && end >= 0 ? ends[end] : "";
      if (word) button.append(make("span", { className: "end", textContent: word }));
      button.append(make("span", { textContent: value }));
      if (place === current) button.setAttribute("aria-current", "true");
      button.addEventListener("click", () => choose(place));
      return make("li", {}, button);
    }));
    return places;
  }

  function source(tile) {
    if (!tile.film) return tile.href;
    const text = $(tile.film).textContent;
    const bytes = Uint8Array.from(atob(text.slice(text.indexOf(",") + 1)), (sign) => sign.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([bytes], { type: "video/mp4" }));
    urls.push(url);
    return url;
  }

  function tileOf(tile, clip) {
    const screen = make("div", { className: "screen" });
    const words = make("figcaption");
    if (tile.method !== null) words.append(keyOf(tile.method));
    words.append(make("strong", { textContent: tile.title }));
    const c = column();
    if (c && tile.method !== null) words.append(` ${c.label}: ${number(c, (clip.values[c.id] || {})[tile.method])}`);
    if (tile.note) words.append(make("div", { className: "soft", textContent: tile.note }));
    if (tile.why) {
      screen.append(make("p", { className: "why", textContent: tile.why }));
    } else if (tile.still) {
      screen.append(make("img", { src: tile.href, alt: `${tile.title}, clip ${clip.name}` }));
    } else {
      const film = make("video", { muted: true, playsInline: true, preload: "auto", src: source(tile) });
      film.setAttribute("aria-label", `${tile.title}, clip ${clip.name}`);
      film.addEventListener("error", () => {
        screen.append(make("p", { className: "why", textContent: "This film cannot be played here." }));
      });
      film.addEventListener("loadedmetadata", () => { if (!player.playing) player.seek(player.wanted); });
      film.dataset.title = tile.title;
      film.dataset.sound = tile.sound ? "yes" : "";
      film.addEventListener("click", () => player.toggle());
      player.films.push(film);
      screen.append(film);
    }
    if (tile.ai) screen.append(make("span", { className: "ai", textContent: "AI-made" }));
    return make("figure", { className: "tile" }, screen, words);
  }

  const keyOf = (place) => {
    const key = document.querySelector(`.legend [data-method="${place}"] svg`);
    return key ? key.cloneNode(true) : "";
  };

  function choose(place) {
    const frame = place === current ? player.frame() : 0;
    player.clear();
    urls.splice(0).forEach((url) => URL.revokeObjectURL(url));
    current = place;
    const clip = data.clips[place];
    player.fps = clip.fps;
    player.frames = clip.frames;
    $("clip-name").textContent = clip.name;
    $("tiles").replaceChildren(...clip.tiles.map((tile) => tileOf(tile, clip)));
    $("seek").max = clip.frames - 1;
    list();
    values(clip);
    series(clip);
    sounds();
    player.seek(frame);
  }

  // the film that is heard leads the clock, so that its speed is never touched
  function sounds() {
    const before = $("sound").value;
    const names = player.films.filter((film) => film.dataset.sound).map((film) => film.dataset.title);
    $("sound").replaceChildren(...["none", ...names].map((name) => make("option", { value: name, textContent: name })));
    $("sound").value = names.includes(before) ? before : "none";
    $("sound").parentElement.hidden = !names.length;
    for (const film of player.films) film.muted = !film.dataset.sound || film.dataset.title !== $("sound").value;
    player.films.sort((a, b) => a.muted - b.muted);
    if (player.playing) player.films[0].playbackRate = player.rate;
  }

  function values(clip) {
    const head = make("tr", {}, make("th", { scope: "col", textContent: "This clip" }));
    for (const c of data.columns) {
      const protocol = c.protocol.split(", ").map((part) => make("span", { className: "protocol", textContent: part }));
      head.append(make("th", { scope: "col" }, c.label, ...protocol));
    }
    const rows = data.methods.map((name, place) => {
      const row = make("tr", {}, make("th", { scope: "row" }, keyOf(place), name));
      row.append(...data.columns.map((c) => make("td", { textContent: number(c, (clip.values[c.id] || {})[place]) })));
      return row;
    });
    $("clip-values").replaceChildren(make("thead", {}, head), make("tbody", {}, ...rows));
  }

  // ---- the chosen metric over the frames of the clip, with the playhead; a click seeks ----
  const SVG = "http://www.w3.org/2000/svg";
  const draw = (tag, attributes) => {
    const node = document.createElementNS(SVG, tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    return node;
  };
  let head = null;
  function series(clip) {
    const box = $("series");
    head = null;
    const found = column() ? (clip.series || {})[column().id] : undefined;
    box.replaceChildren();
    if (!found) return;
    const all = Object.values(found).flat().filter((value) => value !== null);
    if (all.length < 2) return;
    const low = Math.min(...all), high = Math.max(...all), span = high - low || 1;
    const svg = draw("svg", { viewBox: `0 0 ${clip.frames} 100`, preserveAspectRatio: "none", "aria-hidden": "true" });
    for (const [place, line] of Object.entries(found)) {
      let points = [];
      const flush = () => {
        if (points.length) svg.append(draw("polyline", { class: `m${Number(place) % 8}`, points: points.join(" ") }));
        points = [];
      };
      line.forEach((value, frame) => {
        if (value === null) flush();
        else points.push(`${frame + 0.5},${(96 - 92 * (value - low) / span).toFixed(2)}`);
      });
      flush();
    }
    head = draw("line", { class: "head", y1: 0, y2: 100, x1: 0, x2: 0 });
    svg.append(head);
    svg.addEventListener("click", (event) => {
      const area = svg.getBoundingClientRect();
      player.seekPaused(Math.floor((event.clientX - area.left) / area.width * clip.frames));
    });
    const c = column();
    const range = `${number(c, low)} (bottom) to ${number(c, high)} (top)`;
    box.append(make("p", { textContent: `${c.label} of each frame, ${range}; click to go there` }), svg);
    show();
  }

  function show() {
    const frame = player.frame();
    $("seek").value = frame;
    const seconds = (frame / player.fps).toFixed(2);
    $("readout").textContent = `${frame} / ${player.frames - 1} · ${seconds} s`;
    $("seek").setAttribute("aria-valuetext", `frame ${frame} of ${player.frames - 1}, ${seconds} seconds`);
    $("play").textContent = player.playing ? "❚❚ Pause" : "▶ Play";
    if (head) { head.setAttribute("x1", frame + 0.5); head.setAttribute("x2", frame + 0.5); }
  }

  $("play").addEventListener("click", () => player.toggle());
  $("back").addEventListener("click", () => player.step(-1));
  $("forward").addEventListener("click", () => player.step(1));
  $("seek").addEventListener("input", () => { player.seekPaused(Number($("seek").value)); });
  $("speed").addEventListener("change", () => {
    player.rate = Number($("speed").value);
    for (const film of player.films) film.playbackRate = player.rate;
  });
  $("sound").addEventListener("change", sounds);
  $("loop").addEventListener("change", () => { player.loop = $("loop").checked; });
  for (const id of ["metric", "method", "order"]) {
    $(id).addEventListener("change", () => choose(id === "order" || current < 0 ? list()[0] : current));
  }
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (event.ctrlKey || event.altKey || event.metaKey || /^(SELECT|TEXTAREA)$/.test(at.tagName)) return;
    if (at.tagName === "INPUT" && at.type !== "range") return;
    const inside = $("clips").contains(at);
    const place = $("clips").getBoundingClientRect();
    const seen = place.top < innerHeight / 2 && place.bottom > innerHeight / 2;
    if (!inside && !(at === document.body && seen)) return; // elsewhere keys do what they always do
    if (event.key === " " && at.tagName === "BUTTON") return;
    const action = {
      " ": () => player.toggle(), k: () => player.toggle(),
      ArrowLeft: () => player.step(-1), ArrowRight: () => player.step(1),
      ",": () => player.step(-1), ".": () => player.step(1),
      Home: () => player.seekPaused(0), End: () => player.seekPaused(player.frames),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
  for (const dot of document.querySelectorAll("[data-clip]")) {
    dot.addEventListener("click", () => {
      const place = data.clips.findIndex((clip) => clip.name === dot.dataset.clip);
      if (place < 0) return;
      choose(place);
      $("clips").scrollIntoView();
    });
  }
  document.addEventListener("visibilitychange", () => { if (document.hidden) player.pause(); });
  const first = list();
  choose(first.find((place) => data.clips[place].tiles.length) ?? first[0]);
})();
