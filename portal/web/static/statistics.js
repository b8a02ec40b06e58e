// The series as a chart one may look into; without this script the drawing of the server stays.
"use strict";

const live = document.getElementById("live");
const still = document.getElementById("still");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function drawn(told, width) {
  const ink = colour("--soft"), line = colour("--line");
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const time = new Intl.DateTimeFormat("zh-CN", {
    timeZone: "Asia/Shanghai", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false,
  });
  const day = new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", month: "2-digit", day: "2-digit" });
  const number = (self, value) => (value == null ? "–" : String(value));
  const limit = { stroke: colour("--bad"), width: 1.4, dash: [6, 4], points: { show: false }, value: number, spanGaps: false };
  const series = [
    { label: told.labels.time, value: (self, at) => (at == null ? "–" : time.format(at * 1000)) },
    { label: told.labels.value, stroke: colour("--accent"), width: 1.6, value: number, spanGaps: false },
    {
      label: told.labels.suspect, stroke: colour("--warn"), paths: () => null, value: number,
      points: { show: true, size: 9, width: 2, fill: colour("--warn-wash") },
    },
  ];
  const data = [told.x, told.value, told.suspect];
  for (const name of ["high", "low"]) {
    if (told[name].some((value) => value != null)) {
      series.push({ label: told.labels[name], ...limit });
      data.push(told[name]);
    }
  }
  const top = Math.max(...data.slice(1).flat().filter((value) => value != null), 0) * 1.08 || 1;
  const when = (self, splits, index, space, step) => splits.map((at) => (step < 86400 ? time : day).format(at * 1000));
  return new uPlot({
    width, height: 320, series, tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Asia/Shanghai"),
    axes: [{ ...axis, values: when, space: 100 }, axis], scales: { y: { range: [0, top] } },
    cursor: { drag: { x: true, y: false } },
  }, data, live);
}

async function begin() {
  const answer = await fetch(live.dataset.series, { headers: { accept: "application/json" } });
  if (!answer.ok) return;
  const told = await answer.json();
  if (!told.x.length) return;
  let chart = null;
  const draw = () => {
    if (chart) chart.destroy();
    chart = drawn(told, Math.max(live.parentElement.clientWidth, 300));
    live.firstElementChild.setAttribute("role", "group");
    live.firstElementChild.setAttribute("aria-label", live.dataset.label);
  };
  still.remove();
  draw();
  let waiting = 0;
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(draw, 150);
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

if (live && window.uPlot) begin().catch(() => {});
