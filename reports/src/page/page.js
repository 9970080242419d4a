// What the page can do beyond showing: a cursor that moves through time, the values of every plot
// and what two views showed at its moment, and variants that can be hidden. The page is complete
// without it: every control is made here. Numbers and texts are those of #data; nothing is loaded.
// Times are seconds. What can be pointed to someone else is in the fragment of the address:
// #at=105s&of=base&hide=async.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const end = Number(data.end);
  const state = { at: 0, pinned: false, of: 0, hidden: new Set(), all: false };
  const SVG = "http://www.w3.org/2000/svg";

  const make = (tag, properties, ...children) => {
    const made = Object.assign(document.createElement(tag), properties);
    made.append(...children);
    return made;
  };
  const draw = (tag, attributes) => {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const every = (selector, within = document) => [...within.querySelectorAll(selector)];
  const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

  // Seconds as people say them: 59.8s, 1h 30min.
  const told = (seconds) => {
    if (seconds < 600) return `${+seconds.toFixed(3)}s`;
    const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
    let rest = Math.floor(seconds);
    const parts = units.map(([size, name]) => {
      const whole = Math.floor(rest / size);
      rest %= size;
      return whole > 0 ? `${whole}${name}` : "";
    });
    return parts.filter(Boolean).join(" ");
  };

  // A text that stays for some columns is written once, with their number.
  const expand = (texts) => texts.split("|").flatMap((stretch) => {
    const [text, columns = 1] = stretch.split("*");
    return Array(Number(columns)).fill(text);
  });
  const lines = (plot) => plot.panels.flatMap((panel) => panel.lines);
  for (const plot of data.plots.filter(Boolean)) {
    for (const line of lines(plot)) line.texts = expand(line.texts);
  }
  // So is what a view showed; of a text that changes only what is new in it (see data.rs).
  for (const { servers } of data.looks) {
    for (const view of servers.flatMap((server) => server.views)) {
      let rows = [];
      let before = rows;
      const cell = (text, old) => {
        if (text === 0) return old;
        return text === null ? null : (old || "").slice(0, text.charCodeAt(0) - 48) + text.slice(1);
      };
      view.shown = view.shown.map((now) => {
        if (Array.isArray(now)) {
          const old = rows;
          rows = now.map((row, i) => row.map((text, j) => cell(text, old[i]?.[j])));
          before = rows;
        } else if (now !== 0) {
          before = now;
        }
        return before;
      });
      // The room that the largest of all needs, so that nothing moves when the time does.
      const tables = view.shown.filter(Array.isArray);
      view.most = Math.max(1, ...tables.map((rows) => rows.length));
      view.widths = view.columns.map((name, i) =>
        Math.max(name.length, ...tables.flat().map((row) => (row[i] || "").length)));
    }
  }

  // A piece of a series' line with its marker, as in the legends.
  const swatch = (style) => {
    const { dashes, markers } = data.theme;
    const colour = `var(--series-${style % markers.length})`;
    const svg = draw("svg", { viewBox: "0 -12 72 24", class: "swatch", "aria-hidden": "true" });
    const corners = markers[style % markers.length];
    const points = corners.map(([x, y]) => `${x + 36},${y}`).join(" ");
    svg.append(
      draw("path", {
        d: "M0 0H72", stroke: colour, "stroke-width": 5,
        "stroke-dasharray": dashes[Math.floor(style / markers.length) % dashes.length].join(" "),
      }),
      corners.length
        ? draw("polygon", { points, fill: colour })
        : draw("circle", { cx: 36, cy: 0, r: 8, fill: colour }),
    );
    return svg;
  };

  // Under each plot: a row a panel, a column a line.
  const readout = (plot) => {
    const heads = [];
    for (const line of lines(plot)) {
      if (!heads.some((head) => head.label === line.label)) heads.push(line);
    }
    const shared = plot.panels.every((panel) => panel.run === null);
    const of = (element, run) => {
      if (shared) element.dataset.run = run;
      return element;
    };
    const named = plot.panels.some((panel) => panel.name);
    const head = heads.map((line) =>
      of(make("th", { scope: "col" }, swatch(line.style), line.label || "value"), line.run));
    const values = [];
    const body = plot.panels.map((panel) => {
      const cells = heads.map((head) => {
        const line = panel.lines.find((line) => line.label === head.label);
        const cell = of(make("td", {}), head.run);
        if (line) values.push({ line, cell });
        return cell;
      });
      const name = named ? [make("th", { scope: "row" }, panel.name || "")] : [];
      const row = make("tr", {}, ...name, ...cells);
      if (panel.run !== null) row.dataset.run = panel.run;
      return row;
    });
    const caption = make("caption", {});
    const table = make("table", { className: "readout" }, caption,
      make("thead", {}, make("tr", {}, ...(named ? [make("td", {})] : []), ...head)),
      make("tbody", {}, ...body));
    return { table, caption, values };
  };

  // Every plot that has columns: its cursor, and how a pointer reads it.
  const plots = every("[data-plot]").map((figure) => {
    const plot = data.plots[figure.dataset.plot];
    const svg = figure.querySelector("svg");
    if (!plot) {
      sayUnderPointer(figure, svg);
      return null;
    }
    const [left, right, top, bottom] = plot.area;
    const cursor = draw("line", { class: "cursor", y1: top, y2: bottom });
    svg.append(cursor);
    const { table, caption, values } = readout(plot);
    figure.querySelector(".wide").after(make("div", { className: "wide" }, table));
    const overTime = !plot.places.length;
    const xOf = (event) => {
      const box = svg.getBoundingClientRect();
      return ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    };
    const timeOf = (event) => clamp((xOf(event) - left) / (right - left), 0, 1) * end;
    const put = (x) => {
      cursor.setAttribute("x1", x);
      cursor.setAttribute("x2", x);
    };
    const showPlace = (n) => {
      put(plot.places[n][0]);
      caption.textContent = `At ${plot.places[n][1]}:`;
      for (const { line, cell } of values) cell.textContent = line.texts[n];
    };
    const showTime = (at) => {
      put(left + (right - left) * (end > 0 ? at / end : 0));
      caption.textContent = `At ${told(at)}:`;
      for (const { line, cell } of values) {
        const column = line.step ? Math.floor(at / Number(line.step) + 1e-9) : 0;
        const text = line.texts[Math.min(column, line.texts.length - 1)];
        const within = ([from, until]) => Number(from) <= at && (!until || at < Number(until));
        const band = line.bands?.filter(within).pop();
        cell.textContent = band ? `${text} · ${band[2]}` : text;
      }
    };
    if (!overTime) {
      const nearest = (x) => {
        const away = plot.places.map(([place]) => Math.abs(place - x));
        return away.indexOf(Math.min(...away));
      };
      svg.addEventListener("pointermove", (event) => showPlace(nearest(xOf(event))));
      showPlace(Math.max(0, plot.places.findIndex(([, name]) => name === "99%")));
    } else {
      svg.classList.add("read");
      svg.addEventListener("pointermove", (event) => {
        if (!state.pinned && event.pointerType === "mouse") moveTo(timeOf(event), false);
      });
      svg.addEventListener("click", (event) => {
        if (!event.target.closest("[data-entry]")) moveTo(timeOf(event), true);
      });
    }
    return { plot, svg, cursor, overTime, showTime };
  }).filter(Boolean);

  // A plot without columns says itself what is under the pointer.
  function sayUnderPointer(figure, svg) {
    if (!svg?.querySelector("[data-say]")) return;
    const said = make("p", { className: "small said" }, "Point to a part for its value.");
    figure.querySelector(".wide").after(said);
    svg.addEventListener("pointerover", (event) => {
      const part = event.target.closest("[data-say]");
      if (part) said.textContent = part.dataset.say;
    });
  }

  const looks = () => data.looks[state.of];
  // The last moment at or before the cursor at which the views were looked at.
  const lookAt = () => Math.max(0, looks().at.findLastIndex((at) => Number(at) <= state.at + 1e-9));

  // The panel: the cursor by keyboard, the variant, the views.
  const timed = plots.some((plot) => plot.overTime) && data.looks.some(({ at }) => at.length);
  const slider = make("input", { type: "range", id: "moment", min: 0, step: 1 });
  const shown = make("span", { className: "at" });
  const pin = make("button", { type: "button" }, "Pin");
  const fold = make("button", { type: "button" }, "Views");
  const choice = make("select", { id: "of" });
  const all = make("input", { type: "checkbox", id: "all-columns" });
  const views = make("div", { id: "views" });
  const panel = make("div", { className: "moment", role: "group" });
  panel.setAttribute("aria-label", "Moment of the run");
  fold.setAttribute("aria-controls", "views");
  choice.append(...data.variants.map((name, i) => make("option", { value: i }, name)));

  const toggles = () => make("fieldset", { className: "variants" },
    make("legend", {}, "Variants shown"),
    ...data.variants.map((name, i) => {
      const box = make("input", { type: "checkbox", checked: true });
      box.dataset.variant = i;
      box.addEventListener("change", () => toggle(i));
      return make("label", {}, box, swatch(i), name);
    }));

  const showViews = () => {
    const { at, servers } = looks();
    const n = lookAt();
    const before = Number(at[n]) < state.at - 1e-9 ? ", the last look before" : "";
    views.replaceChildren(...servers.flatMap(({ name, views }) => views.map((view) => {
      const columns = view.columns.map((_, i) => i);
      const seen = columns.filter((i) => state.all || !view.folded.includes(i));
      const now = view.shown[n];
      const across = (className, text) =>
        [make("td", { colSpan: seen.length || 1, className }, text)];
      const rows = Array.isArray(now)
        ? now.map((row) => seen.map((i) => make("td", {}, row[i] ?? "")))
        : [across("refused", now)];
      if (!rows.length) rows.push(across("none", "(0 rows)"));
      while (rows.length < view.most) rows.push(across("room", "\u00a0"));
      const head = (i) => {
        const th = make("th", { scope: "col" }, view.columns[i]);
        th.style.minWidth = `${view.widths[i]}ch`;
        return th;
      };
      const table = make("table", {},
        make("caption", {}, make("code", {}, view.name), ` on ${name} at ${at[n]}s${before}`),
        make("thead", {}, make("tr", {},
          ...seen.map(head))),
        make("tbody", {}, ...rows.map((cells) => make("tr", {}, ...cells))));
      table.dataset.view = view.name;
      table.dataset.server = name;
      return table;
    })));
  };

  const show = () => {
    for (const { overTime, showTime } of plots) if (overTime) showTime(state.at);
    if (!timed) return;
    slider.max = looks().at.length - 1;
    slider.value = lookAt();
    const within = ([, from, until]) =>
      Number(from) <= state.at && state.at <= Number(until ?? data.end);
    const names = looks().faults.filter(within).map(([name]) => name);
    const now = [told(state.at), ...new Set(names)].join(" · ");
    slider.setAttribute("aria-valuetext", now);
    shown.textContent = now;
    pin.setAttribute("aria-pressed", state.pinned);
    showViews();
  };

  const moveTo = (at, pinned) => {
    state.at = clamp(at, 0, end);
    state.pinned = pinned;
    show();
    if (pinned) note();
  };

  // Hides what is of a variant that is not wanted, and moves up the panels below its own.
  const showVariants = () => {
    for (const element of every("[data-run]")) {
      element.classList.toggle("gone", state.hidden.has(Number(element.dataset.run)));
    }
    for (const entry of every("[data-entry]")) {
      entry.classList.toggle("faded", state.hidden.has(Number(entry.dataset.entry)));
    }
    for (const { plot, svg, cursor } of plots) {
      if (svg.querySelector("[data-panel]")) {
        const gone = plot.panels.map((panel) => state.hidden.has(panel.run));
        const above = (place) => gone.slice(0, place).filter(Boolean).length * plot.apart;
        for (const part of every("[data-panel]", svg)) {
          part.setAttribute("transform", `translate(0 ${-above(Number(part.dataset.panel))})`);
        }
        const up = above(gone.length);
        for (const part of every("[data-foot]", svg)) {
          part.setAttribute("transform", `translate(0 ${-up})`);
        }
        svg.dataset.height ??= svg.viewBox.baseVal.height;
        const { width } = svg.viewBox.baseVal;
        svg.setAttribute("viewBox", `0 0 ${width} ${svg.dataset.height - up}`);
        cursor.setAttribute("y2", plot.area[3] - up);
      }
    }
    const left = data.variants.length - state.hidden.size;
    for (const box of every("[data-variant]")) {
      box.checked = !state.hidden.has(Number(box.dataset.variant));
      // One stays.
      box.disabled = box.checked && left === 1;
    }
    for (const option of choice.options) option.disabled = state.hidden.has(Number(option.value));
    if (state.hidden.has(state.of)) {
      state.of = data.variants.findIndex((_, i) => !state.hidden.has(i));
    }
    choice.value = state.of;
  };

  const toggle = (variant) => {
    if (!state.hidden.delete(variant)) {
      if (state.hidden.size + 1 === data.variants.length) return;
      state.hidden.add(variant);
    }
    showVariants();
    show();
    note();
  };

  // What the address says of what is shown.
  const fragment = () => {
    const names = [...state.hidden].sort((a, b) => a - b).map((i) => data.variants[i]);
    const parts = [
      state.pinned && `at=${+state.at.toFixed(9)}s`,
      state.of > 0 && `of=${encodeURIComponent(data.variants[state.of])}`,
      names.length && `hide=${names.map(encodeURIComponent).join(",")}`,
    ];
    return parts.filter(Boolean).join("&");
  };
  // It is no new page in the browser's history. A viewer of attachments may not have an address.
  const note = () => {
    const now = fragment();
    try {
      history.replaceState(null, "", now ? `#${now}` : location.pathname + location.search);
    } catch {
      return;
    }
  };
  const read = () => {
    const parts = new Map(location.hash.slice(1).split("&").map((part) => part.split("=")));
    if (!["at", "of", "hide"].some((key) => parts.get(key))) return;
    const variant = (name) => {
      try {
        return data.variants.indexOf(decodeURIComponent(name));
      } catch {
        return -1;
      }
    };
    const hidden = (parts.get("hide") || "").split(",").map(variant).filter((i) => i >= 0);
    state.hidden = new Set(hidden);
    if (state.hidden.size === data.variants.length) state.hidden.clear();
    state.of = Math.max(0, variant(parts.get("of") || ""));
    const at = parseFloat(parts.get("at"));
    state.pinned = Number.isFinite(at);
    if (state.pinned) state.at = clamp(at, 0, end);
    showVariants();
    show();
    if (state.pinned && timed) document.getElementById("plots").scrollIntoView();
  };

  if (timed) {
    slider.addEventListener("input", () => moveTo(Number(looks().at[slider.value]), true));
    pin.addEventListener("click", () => moveTo(state.at, !state.pinned));
    pin.addEventListener("click", note);
    fold.addEventListener("click", () => {
      views.hidden = !views.hidden;
      fold.setAttribute("aria-expanded", !views.hidden);
    });
    fold.setAttribute("aria-expanded", "true");
    choice.addEventListener("change", () => {
      state.of = Number(choice.value);
      show();
      note();
    });
    all.addEventListener("change", () => {
      state.all = all.checked;
      showViews();
    });
    // The times of the story lead to their moment.
    for (const time of every("#story th.time")) {
      const link = make("a", { href: "#plots" }, time.textContent);
      link.addEventListener("click", (event) => {
        event.preventDefault();
        state.of = Number(time.closest("[data-run]")?.dataset.run ?? 0);
        state.hidden.delete(state.of);
        state.at = clamp(parseFloat(time.textContent), 0, end);
        state.pinned = true;
        location.hash = fragment();
      });
      time.replaceChildren(link);
    }
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && state.pinned) {
        moveTo(state.at, false);
        note();
      }
    });
    const several = data.variants.length > 1;
    panel.append(
      make("div", { className: "controls" },
        make("label", { htmlFor: "moment" }, "Moment"), slider, shown, pin,
        ...(several ? [make("label", {}, "Views of ", choice)] : []),
        fold, make("label", {}, all, "all columns")),
      ...(several ? [toggles()] : []),
      views);
    document.querySelector("#plots h2").after(
      make("p", { className: "small hint" }, "Move the pointer over a plot, or the slider: all " +
        "plots over time and the two views below follow. A click pins the moment, Escape frees " +
        "it; the address then leads back to it. The views were looked at from time to time: ",
        make("code", {}, "walden view --at"), " has any other moment."),
      panel);
    new ResizeObserver(() => {
      document.body.style.setProperty("--panel", `${panel.offsetHeight}px`);
    }).observe(panel);
  }
  if (data.variants.length > 1) {
    document.querySelector("#comparison h2").after(toggles());
    for (const entry of every("[data-entry]")) {
      entry.addEventListener("click", () => toggle(Number(entry.dataset.entry)));
    }
  }
  addEventListener("hashchange", read);
  showVariants();
  show();
  read();
})();
