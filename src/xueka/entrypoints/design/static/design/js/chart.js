// A chart is drawn from the table that it stands for, so the two cannot disagree.
const tone = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const TONES = ["progress", "ok", "wait", "neutral", "bad"];
const MARKS = ["solid", "dashed", "dotted"];
const LEGEND = { top: 0, left: 0, icon: "rect", itemWidth: 12, itemHeight: 10, itemGap: 12 };

function read(table) {
  const cells = (row) => [...row.cells].map((cell) => cell.textContent.trim());
  const [head, ...rows] = [...table.rows].map(cells);
  const totals = [...table.tBodies[0].rows].map((row) => row.dataset.total !== undefined);
  return { names: head.slice(1), categories: rows.map((row) => row[0]), rows: rows.map((row) => row.slice(1).map(amount)), totals };
}

// «—» is no number: the line has a gap there, and does not fall to 0.
function amount(text) {
  const number = Number(text.replace(/[,¥%]/g, "").replace("−", "-"));
  return Number.isNaN(number) ? null : number;
}

// On a phone the legend takes more than one row; the picture begins below it.
function legendRows(names, width, font) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = font;
  let [rows, used] = [1, 0];
  for (const name of names) {
    const wide = LEGEND.itemWidth + 5 + pen.measureText(name).width + LEGEND.itemGap;
    if (used && used + wide > width) [rows, used] = [rows + 1, 0];
    used += wide;
  }
  return rows;
}

function option(kind, unit, width, { names, categories, rows }) {
  const text = { color: tone("--xk-text-2"), fontFamily: tone("--xk-font"), fontSize: 12 };
  const legend = names.length > 1;
  const top = legend ? 8 + 26 * legendRows(names, width, `12px ${text.fontFamily}`) : 16;
  const line = { lineStyle: { color: tone("--xk-line") } };
  return {
    animation: false,
    aria: { enabled: false },
    textStyle: text,
    grid: { left: 8, right: 12, top, bottom: 4, containLabel: true },
    legend: legend ? { ...LEGEND, textStyle: text } : undefined,
    tooltip: { trigger: "axis", renderMode: "richText", valueFormatter: (value) => `${value.toLocaleString("zh-CN")} ${unit}`, axisPointer: { type: kind === "line" ? "line" : "shadow" } },
    xAxis: { type: "category", data: categories, axisLabel: text, axisLine: line, axisTick: { show: false } },
    yAxis: { type: "value", minInterval: 1, axisLabel: text, splitLine: line },
    series: names.map((name, index) => {
      const color = tone(`--xk-${TONES[index % TONES.length]}-solid`);
      return {
        name,
        type: kind === "line" ? "line" : "bar",
        stack: kind === "stacked" ? "all" : undefined,
        data: rows.map((row) => row[index]),
        barMaxWidth: 34,
        connectNulls: true,
        itemStyle: { color, decal: kind === "stacked" && index ? { symbol: "rect", dashArrayX: [1, 0], dashArrayY: [2, 3 + index], rotation: 0.6, color: "rgba(255,255,255,.28)" } : undefined },
        lineStyle: { color, width: 2, type: MARKS[index % MARKS.length] },
        symbol: ["circle", "rect", "triangle"][index % 3],
        symbolSize: 6,
      };
    }),
  };
}

// From one total to the next: each step hangs where the one before it ended; totals stand on the ground.
function waterfall(unit, { categories, rows, totals }) {
  const values = rows.map((row) => row[0] ?? 0);
  let level = 0;
  const bars = values.map((value, index) => {
    const from = totals[index] ? 0 : level;
    level = totals[index] ? value : level + value;
    return [index, from, level, value];
  });
  const text = { color: tone("--xk-text-2"), fontFamily: tone("--xk-font"), fontSize: 12 };
  const line = { lineStyle: { color: tone("--xk-line") } };
  const ends = bars.flatMap(([, from, to]) => [from, to]);
  const [low, high] = [Math.min(0, ...ends), Math.max(...ends)];
  const words = (value) => `${value > 0 ? "" : "−"}${Math.abs(value).toLocaleString("zh-CN")}`;
  const signed = ([index, , , value]) => (totals[index] ? words(value) : `${value > 0 ? "+" : ""}${words(value)}`);
  return {
    animation: false,
    aria: { enabled: false },
    textStyle: text,
    grid: { left: 8, right: 56, top: 8, bottom: 4, containLabel: true },
    tooltip: { trigger: "item", renderMode: "richText", formatter: ({ data }) => `${categories[data[0]]} ${signed(data)} ${unit}` },
    xAxis: { type: "value", min: low, max: high || 1, axisLabel: { ...text, hideOverlap: true }, splitLine: line },
    yAxis: { type: "category", data: categories, inverse: true, axisLabel: text, axisLine: line, axisTick: { show: false } },
    series: [{
      type: "custom",
      data: bars,
      encode: { x: [1, 2], y: 0 },
      renderItem: (_, api) => {
        const bar = bars[api.value(0)];
        const [left, middle] = api.coord([Math.min(bar[1], bar[2]), bar[0]]);
        const right = api.coord([Math.max(bar[1], bar[2]), bar[0]])[0];
        const tall = Math.min(20, api.size([0, 1])[1] * 0.62);
        const name = totals[bar[0]] ? "progress" : bar[3] > 0 ? "wait" : "bad";
        const fill = tone(`--xk-${name}-solid`);
        return {
          type: "group",
          children: [
            { type: "rect", shape: { x: left, y: middle - tall / 2, width: Math.max(2, right - left), height: tall }, style: { fill } },
            { type: "text", style: { x: right + 6, y: middle, text: signed(bar), fill: text.color, font: `12px ${text.fontFamily}`, verticalAlign: "middle" } },
          ],
        };
      },
    }],
  };
}

class Chart extends HTMLElement {
  async connectedCallback() {
    this.canvas = this.querySelector(".xk-chart-canvas");
    this.table = this.querySelector(".xk-chart-table");
    this.button = this.querySelector("button");
    this.button.addEventListener("click", () => this.show(this.canvas.hidden));
    const echarts = await import("../../vendor/echarts.mjs");
    this.show(true);
    this.chart = echarts.init(this.canvas, null, { renderer: "canvas" });
    this.redraw = () => {
      const data = read(this.table.querySelector("table"));
      const { kind, unit } = this.dataset;
      this.chart.setOption(kind === "waterfall" ? waterfall(unit, data) : option(kind, unit, this.canvas.clientWidth, data), true);
    };
    this.redraw();
    document.addEventListener("xk:theme", this.redraw);
    new ResizeObserver(() => this.canvas.hidden || (this.chart.resize(), this.redraw())).observe(this.canvas);
  }

  disconnectedCallback() {
    document.removeEventListener("xk:theme", this.redraw);
    this.chart?.dispose();
  }

  show(picture) {
    this.canvas.hidden = !picture;
    this.table.hidden = picture;
    this.button.setAttribute("aria-pressed", String(!picture));
  }
}
customElements.define("xk-chart", Chart);
