(() => {
  const element = name => document.getElementById(name), slider = element("epoch"), play = element("play");
  let timer = null;

  // Fill the table of one kind of cell: shades of alpha, frames around what is kept, bars of beta.
  function fill(map, index) {
    const alphas = map.alphas[index], betas = map.betas && map.betas[index], kept = map.kept[index];
    const rows = element("heat-" + map.kind).tBodies[0].rows;
    for (let edge = 0; edge < rows.length; edge++) {
      const cells = rows[edge].cells;
      for (let column = 0; column < map.columns; column++) {
        const cell = cells[column + 1], value = alphas ? alphas[edge][column] : null;
        cell.textContent = value === null ? "" : value.toFixed(2);
        const shade = (value - map.least) / (map.most - map.least || 1);
        cell.style.background = value === null ? "" : `rgba(var(--heat), ${(0.6 * shade).toFixed(3)})`;
        cell.classList.toggle("kept", kept[edge] === column);
      }
      if (betas) {
        const bar = document.createElement("span");
        bar.className = "beta";
        bar.style.width = Math.round(80 * betas[edge]) + "px";
        cells[map.columns + 1].replaceChildren(bar, " " + betas[edge].toFixed(2));
      }
    }
  }
  function show() {
    const index = +slider.value, frame = film.frames[index];
    element("shown").textContent = "epoch " + frame.epoch;
    slider.setAttribute("aria-valuetext", "epoch " + frame.epoch);
    for (const kind of film.kinds) {
      const picture = film.pictures[frame[kind]], image = element(kind);
      image.src = picture.address;
      image.style.width = picture.width + "%";
    }
    for (const map of film.heat) fill(map, index);
  }
  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }
  function advance() {
    if (+slider.value === film.frames.length - 1) return stop();
    slider.value = +slider.value + 1;
    show();
  }
  slider.addEventListener("input", () => { stop(); show(); });
  play.addEventListener("click", () => {
    if (timer) return stop();
    if (+slider.value === film.frames.length - 1) slider.value = 0;
    show();
    play.textContent = "Pause";
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    timer = setInterval(advance, calm ? 2000 : 500);
  });
  show();
})();
