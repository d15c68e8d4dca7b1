"use strict";
/* Passes the charts of a study's page the data that its controls choose, and shows its examples. */
(() => {
  const { data, find, draw, show, element, options, listen } = distillab;
  const state = { setting: 0, metric: data.metric, group: 0, against: "labels", curve: "validation_accuracy", alpha: null };

  const named = (number) => data.classes[number] ?? String(number);
  const setting = () => data.settings[state.setting];
  const metric = (name = state.metric) => setting().metrics[name];

  async function drawMetric() {
    const without = ["labels"]; // the page names levels in a list, which fits a phone
    if (!find("dots").checked) without.push("dots");
    if (!find("band").checked) without.push("intervals", "single");
    await draw("metric", metric().metric, { without });
    find("levels").replaceChildren(...metric().legend.map(([kind, text]) => {
      const item = element("li");
      item.append(element("span", `mark ${kind}`), text);
      return item;
    }));
  }

  async function drawDifferences() {
    const found = metric().differences[state.against];
    find("no-differences").hidden = "rows" in found.tables;
    await draw("differences", found);
  }

  async function drawAcross() {
    if (data.across.length)
      for (const name of ["surface", "chosen", "gain"]) await draw(name, data.across[state.group], { fields: "across" });
  }

  /* Draws a chart that not every setting has; `id` is the part of the page that is hidden without it. */
  async function drawIfThere(id, name, found, how) {
    show(id, found);
    if (found) await draw(name, found, how);
  }

  function alphaChosen() {
    const { alphas, best } = setting();
    if (!alphas.includes(state.alpha)) state.alpha = best ?? alphas[0];
    return alphas.indexOf(state.alpha);
  }

  async function drawConfusion() {
    const index = alphaChosen(), found = setting().confusion?.charts[index];
    show("no-classes", !found);
    await drawIfThere("classes-of-setting", "confusion", found);
    if (!found) return;
    const scores = setting().confusion.scores[index];
    find("class-scores").replaceChildren(...data.classes.map((name, label) => {
      const line = element("tr"), head = element("th", "", name);
      head.scope = "row";
      line.append(head, ...scores.map((score) => element("td", "", (100 * score[label]).toFixed(2))));
      return line;
    }));
  }

  const drawLearning = () => draw("learning", setting().learning[state.curve]);

  async function drawCalibration() {
    await drawIfThere("chart-reliability", "reliability", setting().reliability);
    for (const name of ["agreement", "ece"]) {
      const there = setting().metrics[name];
      const found = there && { tables: there.metric.tables, values: { y: there.axis } };
      await drawIfThere(`chart-${name}`, name, found?.tables.rows ? found : null, { chart: "mean", fields: "metric" });
    }
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
    if (gallery?.maps) return drawMaps(gallery.maps, place);
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

  function drawMaps(maps, place) {
    place.replaceChildren(...maps.map(({ told, pictures }) => {
      const box = element("article", "exhibit maps"), row = element("div", "map-row");
      row.append(...pictures.map(([name, address]) => {
        const figure = element("figure"), image = element("img");
        image.src = address;
        image.alt = `${name}, as a map of classes`;
        figure.append(image, element("figcaption", "soft", name));
        return figure;
      }));
      box.append(row, element("p", "soft", told));
      return box;
    }));
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
    const { alphas, best, gallery, denoising, predicted } = setting();
    options("alpha", alphas.map((alpha, index) => [String(index), `alpha = ${alpha}${alpha === best ? " (chosen)" : ""}`]), String(alphaChosen()));
    if (gallery && !gallery.maps) find("temperature").value = gallery.temperature;
    await drawMetric();
    await drawDifferences();
    await drawLearning();
    await drawCalibration();
    await drawConfusion();
    for (const name of ["roc", "pr", "pairs", "residuals"]) await drawIfThere(`chart-${name}`, name, setting()[name]);
    await drawIfThere("wrong-labels-of-setting", "denoising", denoising);
    await drawIfThere("predicted-of-setting", "predicted", predicted);
    drawGallery();
  }

  options("setting", data.settings.map((one, index) => [String(index), one.label || "the only setting"]), "0");
  options("metric", Object.entries(data.measures), data.metric);
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
