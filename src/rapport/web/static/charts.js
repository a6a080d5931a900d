"use strict";

// Draws each chart from its table, which is then collapsed, and remains for users who can't see the drawing.

const HOUR = 3600, DAY = 24 * HOUR;
// By the distance between two ticks of the axis: the label of a tick, and what is added where a year or day begins.
const TIMES = [
  [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [HOUR, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
];

function getThemeColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function readTable(figure) {
  const rows = [...figure.querySelectorAll("tbody tr")];
  const columns = [...figure.querySelectorAll("thead th")].slice(1);
  return {
    columns: columns.map((head) => ({
      label: head.textContent,
      color: getComputedStyle(head).getPropertyValue("--dot").trim(),
      dash: head.dataset.source === "page" ? [5, 3] : undefined,
    })),
    values: [
      rows.map((row) => Number(row.dataset.begin)),
      ...columns.map((_, index) => rows.map((row) => Number(row.cells[index + 1].dataset.count))),
    ],
    labels: rows.map((row) => row.cells[0].textContent),
  };
}

function buildOptions(figure, table, width) {
  const axis = { stroke: getThemeColor("--soft"), grid: { stroke: getThemeColor("--line"), width: 1 }, ticks: { show: false }, font: "12px Inter, system-ui, sans-serif" };
  return {
    width,
    height: 220,
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), figure.dataset.zone),
    cursor: { y: false, points: { size: 7 } },
    legend: { markers: { width: 2 } },
    scales: { y: { range: (_, __, max) => [0, Math.max(1, max) * 1.05] } },
    axes: [{ ...axis, space: 70, values: TIMES }, { ...axis, size: 56, values: (_, ticks) => ticks.map((tick) => (tick % 1 ? "" : tick.toLocaleString("en"))) }],
    series: [
      { label: "", value: (_, __, ___, index) => (index === null || index === undefined ? "" : table.labels[index]) },
      ...table.columns.map(({ label, color, dash }) => ({
        label,
        dash,
        stroke: color,
        fill: color + "22",
        width: 2,
        points: { show: table.labels.length < 45, size: 5 },
        value: (_, count) => (count === null || count === undefined ? "" : count.toLocaleString("en")),
      })),
    ],
  };
}

function draw(figure) {
  const table = readTable(figure);
  const container = document.createElement("div");
  container.className = "plot";
  const caption = figure.querySelector("figcaption");
  const details = figure.querySelector("details");
  caption.after(container);
  details.open = false;
  let plot = null;
  function redraw() {
    if (plot) plot.destroy();
    plot = new uPlot(buildOptions(figure, table, container.clientWidth), table.values, container);
    // Screen readers read the table instead.
    plot.root.querySelector("canvas").setAttribute("aria-hidden", "true");
  }
  redraw();
  let width = container.clientWidth;
  new ResizeObserver(() => {
    if (container.clientWidth === width) return;
    width = container.clientWidth;
    plot.setSize({ width, height: 220 });
  }).observe(container);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
}

document.querySelectorAll("figure.chart").forEach(draw);
