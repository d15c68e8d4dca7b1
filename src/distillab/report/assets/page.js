"use strict";
/* Feeds the charts of a study's page with what is chosen in its controls. Numbers come ready; here they are only worded. */
(() => {
  const { data, find, finite, limits, draw, show, element, options, listen } = distillab;
  const state = { setting: 0, metric: data.metric, group: 0, against: "labels", curve: "validation_accuracy", alpha: null };

  const named = (number) => data.classes[number] ?? String(number);
  const measure = (name = state.metric) => data.measures[name];
  const setting = () => data.settings[state.setting];
  const digits = (m) => (m.unit === "%" ? 2 : 4);
  const bare = (m, value) => (value === null ? "-" : (m.factor * value).toFixed(digits(m)));
  const signed = (m, value) => (value === null ? "-" : (value > 0 ? "+" : "") + bare(m, value));
  const unit = (m, text) => (text === "-" || !m.unit ? text : `${text} ${m.unit}`);
  const span = (low, high, word) => (low === null || high === null ? "-" : `${word(low)} to ${word(high)}`);
  const p = (value) => (value === null || value === undefined ? "-" : value < 1e-4 ? "< 0.0001" : String(value));
  const scaled = (m, value) => (value === null ? null : m.factor * value);
  const counted = (value) => value.toLocaleString("en");

  const alphas = () => {
    const grid = setting().alphas;
    return [grid[0], grid[grid.length - 1]];
  };

  function rowsOf(name) {
    const m = measure(name), one = setting(), found = one.metrics[name];
    return found.rows.map(([n, mean, low, high, toLabels, toTeacher], index) => ({
      alpha: one.alphas[index], n, value: scaled(m, mean), low: scaled(m, low), high: scaled(m, high), toLabels, toTeacher,
      told: {
        alpha: String(one.alphas[index]), n: String(n), mean: unit(m, bare(m, mean)),
        "95 % interval": span(low, high, (v) => bare(m, v)),
        "to labels alone": toLabels ? `${signed(m, toLabels[0])} (${span(toLabels[1], toLabels[2], (v) => signed(m, v))})` : "-",
        "p after Holm": toLabels ? p(toLabels[3]) : "-",
        diverged: String(one.diverged ? one.diverged[index] : 0),
      },
    })).filter((row) => row.n > 0);
  }

  const ranges = () => (state.metric === data.metric ? setting().optimal.map(([from, to]) => ({ from, to })) : []);

  async function drawMetric() {
    const m = measure(), one = setting(), found = one.metrics[state.metric];
    const rows = rowsOf(state.metric);
    const withDots = find("dots").checked && found.dots;
    const dots = withDots ? found.dots.flatMap((seed) => seed.map((value, index) => ({ alpha: one.alphas[index], value: scaled(m, value) }))
      .filter((dot) => dot.value !== null)) : [];
    const bands = find("band").checked ? rows.filter((row) => row.low !== null) : [];
    const at = (alpha) => rows.find((row) => row.alpha === alpha)?.value ?? null;
    const levels = [["labels alone", at(1)], ["teacher alone", at(0)], ["teacher itself", scaled(m, found.teacher)]]
      .filter(([, value]) => value !== null).map(([name, value]) => ({ name, value }));
    const inside = [...rows.flatMap((row) => [row.value, ...(bands.length ? [row.low, row.high] : [])]), ...dots.map((dot) => dot.value)];
    const least = m.unit === "%" ? 1 : 0.01 * Math.max(...finite(inside).map(Math.abs), 1e-6);
    let [low, high] = limits(inside, least);
    const teacher = levels.find((level) => level.name === "teacher itself");
    if (teacher && teacher.value > low - (high - low) / 2 && teacher.value < high + (high - low) / 2)
      [low, high] = limits([...inside, teacher.value], least);
    const seen = levels.filter((level) => level.value >= low && level.value <= high);
    const chosen = rows.filter((row) => row.alpha === found.best);
    const diverged = (one.diverged ?? []).map((count, index) => ({ alpha: one.alphas[index], told: `✕ ${count}`, count })).filter((row) => row.count);
    await draw("metric", { rows, bands, dots, levels: seen, ranges: ranges(), choice: chosen, diverged },
      { y: `student's test ${m.axis}`, limits: [low, high], alphas: alphas() });
    legend(m, found, levels, seen);
  }

  function legend(m, found, levels, seen) {
    const list = find("levels");
    list.replaceChildren();
    const add = (kind, text) => {
      const item = document.createElement("li"), mark = document.createElement("span");
      mark.className = `mark ${kind}`;
      item.append(mark, text);
      list.append(item);
    };
    const written = (value) => unit(m, value.toFixed(digits(m)));
    const seeds = found.rows.map((row) => row[0]).filter((n) => n);
    if (seeds.length) add("curve", `mean of ${Math.min(...seeds) === Math.max(...seeds) ? seeds[0] : `${Math.min(...seeds)} to ${Math.max(...seeds)}`} seed${Math.max(...seeds) === 1 ? "" : "s"}, 95 % interval`);
    for (const level of levels) {
      const beyond = seen.includes(level) ? "" : " (beyond the axis)";
      add(level.name.replace(" ", "-"), `${level.name} ${written(level.value)}${beyond}`);
    }
    if (found.best !== null) add("choice", `chosen on validation data: alpha = ${found.best}`);
    if (ranges().length) add("range", "optimal range");
  }

  async function drawDifferences() {
    const m = measure(), key = state.against === "labels" ? "toLabels" : "toTeacher";
    const rows = rowsOf(state.metric).filter((row) => row[key]).map((row) => {
      const [value, low, high, holm] = row[key];
      return { alpha: row.alpha, value: scaled(m, value), low: scaled(m, low), high: scaled(m, high), shown: holm !== null && holm <= 0.05,
        told: { alpha: String(row.alpha), n: String(row.n), difference: signed(m, value), "95 % interval": span(low, high, (v) => signed(m, v)), "p after Holm": p(holm) } };
    });
    find("no-differences").hidden = rows.length > 0;
    await draw("differences", { rows, ranges: ranges() }, {
      y: `difference${m.difference ? ` (${m.difference})` : ""}`, alphas: alphas(),
      limits: limits([0, ...rows.flatMap((row) => [row.value, row.low, row.high])], m.unit === "%" ? 0.2 : 1e-3),
    });
  }

  async function drawAcross() {
    const one = data.across[state.group];
    if (!one) return;
    const m = measure(data.metric), lower = m.lower;
    const cells = [], framed = [];
    const behindAll = [];
    one.surface.forEach((row) => {
      const best = lower ? Math.min(...finite(row)) : Math.max(...finite(row));
      finite(row).forEach((value) => behindAll.push(Math.abs(best - value)));
    });
    behindAll.sort((a, b) => a - b);
    const limit = Math.max(behindAll[Math.floor(0.85 * (behindAll.length - 1))] ?? 1, 1e-9);
    const short = m.unit === "%" ? (limit < 3 ? 2 : 1) : 3;
    one.surface.forEach((row, index) => {
      const best = lower ? Math.min(...finite(row)) : Math.max(...finite(row));
      row.forEach((value, column) => {
        if (value === null) return;
        const point = one.values[index], behind = Math.abs(best - value);
        const cell = { alpha: one.alphas[column], value: point.value, behind, short: value.toFixed(short),
          told: { axis: point.value, alpha: String(one.alphas[column]), mean: unit(m, value.toFixed(digits(m))) } };
        cells.push(cell);
        if (point.alpha === cell.alpha) framed.push(cell);
      });
    });
    const order = one.values.map((point) => point.value);
    if (one.ordered) order.reverse();
    const points = one.values.map((point) => ({ value: point.value, alpha: point.alpha, low: point.low, high: point.high,
      gain: point.gain ? point.gain[0] : null })).filter((point) => point.alpha !== null);
    const within = one.values.flatMap((point) => point.range.map((alpha) => ({ value: point.value, alpha })));
    const gains = one.values.filter((point) => point.gain).map((point) => ({ value: point.value, gain: point.gain[0], low: point.gain[1], high: point.gain[2] }));
    const values = { axis: one.name, order, height: 27 * order.length, behind: [0, limit], gain: `${lower ? "difference to" : "gain over"} labels alone${m.difference ? ` (${m.difference})` : ""}` };
    await draw("surface", { cells, framed }, values);
    await draw("chosen", { points, within }, values);
    await draw("gain", { points: gains }, values);
  }

  async function drawDenoising() {
    const one = setting(), found = one.denoising;
    show("wrong-labels-of-setting", found);
    if (!found) return;
    const percent = (value) => (value === null ? null : 100 * value);
    const rows = ["recovered", "memorised"].flatMap((which) => found[which].map(([mean, low, high], index) => ({
      alpha: one.alphas[index], value: percent(mean), low: percent(low), high: percent(high),
      name: which === "recovered" ? "put right by students" : "repeated by students" })).filter((row) => row.value !== null));
    const levels = [["put right by the teacher", found.teacher_recovered], ["repeated by the teacher", found.teacher_memorised]]
      .filter(([, value]) => value !== null).map(([name, value]) => ({ name, value: percent(value) }));
    const threshold = found.threshold === null ? [] : [{ alpha: found.threshold, told: "ideal threshold" }];
    await draw("denoising", { rows, levels, threshold }, { y: "share of the wrong labels (%)", alphas: alphas() });
  }

  function alphaChosen() {
    const one = setting();
    if (state.alpha === null || !one.alphas.includes(state.alpha)) state.alpha = one.best ?? one.alphas[0];
    return one.alphas.indexOf(state.alpha);
  }

  async function drawConfusion() {
    const found = setting().confusion, index = alphaChosen();
    const counts = found?.counts[index];
    show("classes-of-setting", counts);
    show("no-classes", !counts);
    if (!counts) return;
    const cells = [], hits = [];
    counts.forEach((row, label) => {
      const all = row.reduce((sum, count) => sum + count, 0);
      row.forEach((count, answer) => {
        const share = all ? (100 * count) / all : 0;
        const cell = { label: named(label), answer: named(answer), share, count,
          short: counts.length > 12 || (count === 0) ? "" : share.toFixed(share < 9.95 ? 1 : 0),
          told: { label: named(label), answer: named(answer), "% of the class": share.toFixed(2), answers: counted(count) } };
        (label === answer ? hits : cells).push(cell);
      });
    });
    const limit = Math.max(...cells.map((cell) => cell.share), 0.1);
    await draw("confusion", { cells, hits }, { classes: counts.map((_, number) => named(number)), shares: [0, limit], height: Math.max(120, counts.length * (counts.length > 20 ? 12 : 28)) });
    const body = find("class-scores");
    body.replaceChildren();
    const scores = found.scores[index];
    counts.forEach((row, label) => {
      const line = document.createElement("tr"), head = document.createElement("th");
      head.scope = "row";
      head.textContent = named(label);
      line.append(head);
      for (const score of scores) {
        const cell = document.createElement("td");
        cell.textContent = (100 * score[label]).toFixed(2);
        line.append(cell);
      }
      body.append(line);
    });
  }

  async function drawLearning() {
    const one = setting(), curves = one.learning[state.curve], factor = state.curve === "loss" ? 1 : 100;
    const rows = curves.flatMap((epoch, number) => epoch.map((value, index) => ({ epoch: number + 1, alpha: one.alphas[index], value: value === null ? null : factor * value,
      told: { alpha: String(one.alphas[index]), epoch: String(number + 1), mean: value === null ? "-" : (factor * value).toFixed(factor === 1 ? 4 : 2) } }))).filter((row) => row.value !== null);
    const late = rows.filter((row) => row.epoch > Math.floor(curves.length / 2)).map((row) => row.value);
    const all = rows.map((row) => row.value);
    // A steep start may run off the axis, or nothing of the end could be told apart.
    const height = Math.max(...late) - Math.min(...late);
    const focus = state.curve === "loss" ? all.filter((value) => value <= Math.max(...late) + height) : all.filter((value) => value >= Math.min(...late) - height);
    await draw("learning", { rows }, { y: state.curve === "loss" ? "training loss" : "validation accuracy (%)", limits: limits(focus, factor === 1 ? 1e-3 : 1, 0.04), point: curves.length === 1, epochs: [1, Math.max(curves.length, 1.5)] });
  }

  async function drawCalibration() {
    const one = setting(), found = one.reliability;
    show("chart-reliability", found);
    if (found) {
      const style = (alpha) => alpha === one.best ? ["chosen", "var(--curve)"] : alpha === 1 ? ["labels alone", "var(--labels)"] : alpha === 0 ? ["teacher alone", "var(--teacher-alone)"] : ["", "var(--soft)"];
      const which = [...new Set([one.alphas[0], one.best ?? one.alphas[0], one.alphas[one.alphas.length - 1]])].sort((a, b) => a - b);
      const names = which.map((alpha) => { const [word] = style(alpha); return `alpha = ${alpha}${word ? `, ${word}` : ""}`; });
      const rows = which.flatMap((alpha, place) => found[one.alphas.indexOf(alpha)].map(([count, sure, right]) => ({ name: names[place], count, sure: 100 * sure, right: 100 * right,
        told: { alpha: String(alpha), answers: counted(count), confidence: `${(100 * sure).toFixed(1)} %`, right: `${(100 * right).toFixed(1)} %` } })));
      await draw("reliability", { rows, diagonal: [{ sure: 0, right: 0 }, { sure: 100, right: 100 }] }, { names, colours: which.map((alpha) => style(alpha)[1]) });
    }
    for (const name of ["agreement", "ece"]) {
      const m = data.measures[name], there = m && one.metrics[name].rows.some((row) => row[0] > 0);
      show(`chart-${name}`, there);
      if (!there) continue;
      const rows = rowsOf(name);
      await draw(name, { rows }, { y: m.axis, alphas: alphas(), limits: limits(rows.flatMap((row) => [row.value, row.low, row.high]), 0.2) });
    }
  }

  async function drawPredicted() {
    const one = setting(), found = one.predicted;
    show("predicted-of-setting", found);
    if (!found) return;
    const line = found.line.map(([alpha, value]) => ({ alpha, value }));
    const measured = found.measured.map(([alpha, value, low, high]) => ({ alpha, value, low: low ?? value, high: high ?? value }));
    const marks = [{ alpha: found.alpha, told: `predicted ${found.alpha.toFixed(2)}`, place: 2 }, { alpha: found.swept, told: `swept ${found.swept}`, place: 18 }];
    await draw("predicted", { line, measured, marks }, { y: "squared error on validation labels", alphas: [0, 1],
      limits: limits([...line.map((row) => row.value), ...measured.flatMap((row) => [row.low, row.high])], 1e-4) });
  }

  const softmax = (logits, temperature) => {
    const top = Math.max(...logits), powers = logits.map((value) => Math.exp((value - top) / temperature));
    const sum = powers.reduce((total, value) => total + value, 0);
    return powers.map((value) => value / sum);
  };


  /* Which classes have a bar: all where there are few, otherwise the label's and those that anyone finds most likely. */
  function barred(exhibit) {
    const classes = exhibit.teacher.length;
    if (classes <= 12) return [...Array(classes).keys()];
    const wanted = new Set([exhibit.clean, exhibit.given]);
    for (const logits of [exhibit.teacher, ...exhibit.students])
      [...logits.keys()].sort((a, b) => logits[b] - logits[a]).slice(0, 3).forEach((number) => wanted.add(number));
    return [...wanted].sort((a, b) => a - b);
  }

  function drawGallery() {
    const one = setting(), gallery = one.gallery, place = find("gallery");
    show("gallery-controls", gallery);
    show("no-gallery", !gallery);
    if (!place) return;
    place.replaceChildren();
    if (!gallery) return;
    for (const kind of gallery.kinds) {
      place.append(element("h3", "", kind.title));
      if (!kind.exhibits.length) { place.append(element("p", "soft", "None among the examples shown.")); continue; }
      const row = element("div", "exhibits");
      for (const exhibit of kind.exhibits) row.append(exhibited(exhibit, gallery, one));
      place.append(row);
    }
    soften();
  }

  function exhibited(exhibit, gallery, one) {
    const box = element("article", "exhibit"), head = element("div", "head");
    if (gallery.images) {
      const image = element("img");
      image.src = gallery.images[exhibit.place];
      image.alt = `A training example of class ${named(exhibit.clean)}`;
      head.append(image);
    }
    const words = element("div");
    const wrong = exhibit.given !== exhibit.clean;
    words.append(element("p", wrong ? "given wrong" : "given", `given label: ${named(exhibit.given)}`), element("p", "", `clean label: ${named(exhibit.clean)}`), element("p", "soft", exhibit.told));
    head.append(words);
    box.append(head);
    const classes = barred(exhibit);
    const students = gallery.alphas.map((alpha, index) => [alpha === one.best ? `α ${alpha}*` : `α ${alpha}`, `a student at alpha = ${alpha}`, exhibit.students[index]]);
    for (const [short, who, logits] of [["teacher", "the teacher", exhibit.teacher], ...students]) {
      const line = element("div", "answer-row"), bars = element("div", "bars");
      bars.setAttribute("role", "img");
      for (const number of classes) bars.append(element("span", number === exhibit.clean ? "bar clean" : number === exhibit.given ? "bar given-wrong" : "bar"));
      bars.softened = { who, logits, classes };
      line.append(element("span", "who", short), bars);
      box.append(line);
    }
    const axis = element("div", "answer-row"), names = element("div", "bars names");
    names.setAttribute("aria-hidden", "true");
    if (classes.some((number) => named(number).length > 2)) names.classList.add("turned");
    for (const number of classes) names.append(element("span", "", named(number)));
    axis.append(element("span", "who"), names);
    box.append(axis);
    return box;
  }

  function soften() {
    const temperature = Number(find("temperature").value);
    find("temperature-told").textContent = `T = ${temperature}`;
    for (const box of document.querySelectorAll("#gallery .exhibit")) {
      const rows = [...box.querySelectorAll(".bars[role=img]")];
      // Bars of an example share a scale; where no class has much, all of them are drawn larger.
      const top = Math.max(0.35, ...rows.flatMap((bars) => softmax(bars.softened.logits, temperature)));
      rows.forEach((bars) => softenRow(bars, temperature, top));
    }
  }

  function softenRow(bars, temperature, top) {
    const { who, logits, classes } = bars.softened, shares = softmax(logits, temperature);
    classes.forEach((number, index) => {
      bars.children[index].style.setProperty("--height", `${((100 * shares[number]) / top).toFixed(2)}%`);
      bars.children[index].title = `${named(number)}: ${(100 * shares[number]).toFixed(1)} %`;
    });
    const first = [...classes].sort((a, b) => shares[b] - shares[a]).slice(0, 3);
    bars.setAttribute("aria-label", `${who}: ${first.map((number) => `${named(number)} ${(100 * shares[number]).toFixed(1)} %`).join(", ")}`);
  }

  async function drawSetting() {
    options("alpha", setting().alphas.map((alpha, index) => [String(index), `alpha = ${alpha}${alpha === setting().best ? " (chosen)" : ""}`]), String(alphaChosen()));
    if (setting().gallery) find("temperature").value = setting().gallery.temperature;
    await drawMetric();
    await drawDifferences();
    await drawLearning();
    await drawCalibration();
    await drawConfusion();
    await drawDenoising();
    await drawPredicted();
    drawGallery();
  }

  options("setting", data.settings.map((one, index) => [String(index), one.label || "the only setting"]), "0");
  options("metric", Object.entries(data.measures).map(([name, m]) => [name, m.label]), data.metric);
  options("group", data.across.map((one, index) => [String(index), one.among]), "0");
  listen("setting", "change", (control) => { state.setting = Number(control.value); return drawSetting(); });
  listen("metric", "change", async (control) => { state.metric = control.value; await drawMetric(); await drawDifferences(); });
  listen("dots", "change", drawMetric);
  listen("band", "change", drawMetric);
  listen("against", "change", (control) => { state.against = control.value; return drawDifferences(); });
  listen("group", "change", (control) => { state.group = Number(control.value); return drawAcross(); });
  listen("alpha", "change", (control) => { state.alpha = setting().alphas[Number(control.value)]; return drawConfusion(); });
  listen("curve", "change", (control) => { state.curve = control.value; return drawLearning(); });
  listen("temperature", "input", soften);
  distillab.ready = drawSetting().then(drawAcross);
})();
