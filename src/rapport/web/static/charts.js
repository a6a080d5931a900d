"use strict";

// Draws each chart from the table of its numbers, which is folded then and stays for who can't see the drawing.

const HOUR = 3600, DAY = 24 * HOUR;
// From how far apart the marks of the axis are on: what each says, and what those say besides at which another year or
// day begins.
const TIMES = [
  [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [HOUR, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
];

function themed(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function numbersOf(figure) {
  const rows = [...figure.querySelectorAll("tbody tr")];
  const columns = [...figure.querySelectorAll("thead th")].slice(1);
  return {
    columns: columns.map((head) => ({
      label: head.textContent,
      colour: getComputedStyle(head).getPropertyValue("--dot").trim(),
      dash: head.dataset.of === "page" ? [5, 3] : undefined,
    })),
    values: [
      rows.map((row) => Number(row.dataset.begin)),
      ...columns.map((_, place) => rows.map((row) => Number(row.cells[place + 1].dataset.count))),
    ],
    labels: rows.map((row) => row.cells[0].textContent),
  };
}

function optionsFor(figure, numbers, width) {
  const axis = { stroke: themed("--soft"), grid: { stroke: themed("--line"), width: 1 }, ticks: { show: false }, font: "12px Inter, system-ui, sans-serif" };
  return {
    width,
    height: 220,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), figure.dataset.zone),
    cursor: { y: false, points: { size: 7 } },
    legend: { markers: { width: 2 } },
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most) * 1.05] } },
    axes: [{ ...axis, space: 70, values: TIMES }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => (tick % 1 ? "" : tick.toLocaleString("en"))) }],
    series: [
      { label: "", value: (_, __, ___, place) => (place === null || place === undefined ? "" : numbers.labels[place]) },
      ...numbers.columns.map(({ label, colour, dash }) => ({
        label,
        dash,
        stroke: colour,
        fill: colour + "22",
        width: 2,
        points: { show: numbers.labels.length < 45, size: 5 },
        value: (_, count) => (count === null || count === undefined ? "" : count.toLocaleString("en")),
      })),
    ],
  };
}

function draw(figure) {
  const numbers = numbersOf(figure);
  const place = document.createElement("div");
  place.className = "plot";
  const caption = figure.querySelector("figcaption");
  const details = figure.querySelector("details");
  caption.after(place);
  details.open = false;
  let plot = null;
  function again() {
    if (plot) plot.destroy();
    plot = new uPlot(optionsFor(figure, numbers, place.clientWidth), numbers.values, place);
    // The drawing is for eyes; all that it says is in the table.
    plot.root.querySelector("canvas").setAttribute("aria-hidden", "true");
  }
  again();
  let width = place.clientWidth;
  new ResizeObserver(() => {
    if (place.clientWidth === width) return;
    width = place.clientWidth;
    plot.setSize({ width, height: 220 });
  }).observe(place);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
}

document.querySelectorAll("figure.chart").forEach(draw);
