/**
 * Draws a Grafana dashboard with Grafana's own components, in a browser. Each panel has the defaults that Grafana gives to
 * what its JSON leaves out.
 */
import '@fontsource/inter/400.css';
import '@fontsource/inter/500.css';
import {
  createTheme,
  dateTime,
  FieldType,
  getDisplayProcessor,
  getFieldDisplayValues,
  ThemeContext,
} from '@grafana/data';
import { BigValue, GlobalStyles, PanelChrome, TimeSeries, VizRepeater } from '@grafana/ui';
import { createElement as h } from 'react';
import { createRoot } from 'react-dom/client';

/** A cell of the grid, and what lies between two, in pixels. */
const [CELL_HEIGHT, GAP, COLUMNS] = [30, 8, 24];
const theme = createTheme({ colors: { mode: 'dark' } });

const LINES = {
  ...{ drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, gradientMode: 'none' },
  ...{ showPoints: 'auto', pointSize: 5, spanNulls: false, axisPlacement: 'auto', axisLabel: '' },
  ...{ scaleDistribution: { type: 'linear' }, stacking: { mode: 'none', group: 'A' }, hideFrom: {} },
};
const THRESHOLDS = {
  mode: 'absolute',
  steps: [
    { value: Number.NEGATIVE_INFINITY, color: 'green' },
    { value: 80, color: 'red' },
  ],
};

/** A time series as a frame: times of all in milliseconds, a value for each. */
function frameOf(panel, { name, timesMs, values }, seriesIndex) {
  const { defaults = {} } = panel.fieldConfig;
  const [first, ...rest] = defaults.thresholds?.steps ?? THRESHOLDS.steps;
  const config = {
    color: { mode: panel.type === 'stat' ? 'thresholds' : 'palette-classic' },
    ...defaults,
    displayNameFromDS: name,
    custom: { ...LINES, ...defaults.custom },
    // JSON knows no infinity
    thresholds: { ...THRESHOLDS, steps: [{ ...first, value: Number.NEGATIVE_INFINITY }, ...rest] },
  };
  const time = { name: 'Time', type: FieldType.time, values: timesMs, config: {} };
  const field = { name: 'Value', type: FieldType.number, values, config, state: { seriesIndex } };
  field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
  return { name, length: timesMs.length, fields: [time, field], refId: name };
}

function statPanel(panel, frames, width, height) {
  const { reduceOptions, colorMode, graphMode, textMode } = panel.options;
  const values = getFieldDisplayValues({
    ...{ data: frames, reduceOptions, theme, timeZone: 'utc', replaceVariables: (text) => text },
    fieldConfig: { defaults: {}, overrides: [] },
  });
  const renderValue = ({ value, width, height, count }) => {
    return h(BigValue, { value: value.display, count, width, height, colorMode, graphMode, textMode, theme });
  };
  return h(VizRepeater, {
    ...{ width, height, renderValue, renderCounter: 0, source: {}, orientation: 'auto', autoGrid: true },
    ...{ getValues: () => values, itemSpacing: 3 },
  });
}

function panelOf(panel, series, range, width, height) {
  const frames = series.map((one, index) => frameOf(panel, one, index));
  const draw = (innerWidth, innerHeight) =>
    panel.type === 'stat'
      ? statPanel(panel, frames, innerWidth, innerHeight)
      : h(TimeSeries, {
          ...{ frames, width: innerWidth, height: innerHeight, timeRange: range, timeZone: 'utc' },
          ...{ legend: { calcs: [], ...panel.options.legend }, options: {} },
        });
  const chrome = {
    width,
    height,
    title: panel.title,
    description: panel.description,
    padding: 'md',
    hoverHeader: false,
  };
  return h(PanelChrome, { ...chrome, collapsible: false, children: draw });
}

/**
 * @param dashboard its JSON
 * @param seriesById the series of each panel by its id
 * @returns the height of the drawing in pixels, once all of it is there
 */
globalThis.draw = async (dashboard, seriesById, fromMs, toMs, width) => {
  const [from, to] = [dateTime(fromMs), dateTime(toMs)];
  const range = { from, to, raw: { from, to } };
  const columnWidth = (width - GAP) / COLUMNS;
  const cells = dashboard.panels.map((panel) => {
    const { x, y, w, h: rows } = panel.gridPos;
    const size = { width: w * columnWidth - GAP, height: rows * (CELL_HEIGHT + GAP) - GAP };
    const style = { position: 'absolute', left: GAP + x * columnWidth, top: GAP + y * (CELL_HEIGHT + GAP), ...size };
    const { typography } = theme;
    const row = {
      ...style,
      fontSize: typography.h4.fontSize,
      fontWeight: typography.fontWeightMedium,
      lineHeight: '30px',
    };
    if (panel.type === 'row') return h('div', { key: panel.id, style: row }, panel.title);
    return h('div', { key: panel.id, style }, panelOf(panel, seriesById[panel.id], range, size.width, size.height));
  });
  const root = document.body.appendChild(document.createElement('div'));
  document.body.style.background = theme.colors.background.canvas;
  createRoot(root).render(
    h(ThemeContext.Provider, { value: theme }, h(GlobalStyles, { isExtensionsFrame: false }), cells),
  );
  document.documentElement.style.overflow = 'hidden';
  await document.fonts.ready;
  const graphs = dashboard.panels.filter(({ type }) => type === 'timeseries').length;
  while (document.querySelectorAll('canvas').length < graphs) await new Promise(requestAnimationFrame);
  const rows = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return rows * (CELL_HEIGHT + GAP) + GAP;
};
