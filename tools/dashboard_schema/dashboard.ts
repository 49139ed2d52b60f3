// What a dashboard of ours may hold: Grafana's own types, with the parts that they leave open (`Record<string, unknown>`,
// `unknown`) closed for exactly what we use. Grafana's panel registry does the same at run time, but complains of nothing.
import * as common from '@grafana/schema';
import * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import * as text from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import * as series from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import * as raw from './node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen';
import { Dataquery, PromQueryFormat, QueryEditorMode } from './node_modules/@grafana/grafana-foundation-sdk/dist/prometheus/types.gen';

interface Source { type: 'prometheus'; uid: string }

interface Target extends Pick<Dataquery, 'expr' | 'legendFormat' | 'instant' | 'range' | 'interval' | 'hide' | 'exemplar'> {
  refId: string;
  datasource: Source;
  format: PromQueryFormat;
  editorMode: QueryEditorMode;
}

type Property =
  | { id: 'unit'; value: string }
  | { id: 'noValue'; value: string }
  | { id: 'displayName'; value: string }
  | { id: 'decimals'; value: number }
  | { id: 'mappings'; value: raw.ValueMapping[] }
  | { id: 'thresholds'; value: raw.ThresholdsConfig }
  | { id: 'custom.cellOptions'; value: common.TableCellOptions }
  | { id: 'custom.width'; value: number };

interface Override { matcher: { id: 'byName'; options: string }; properties: Property[] }

type Bare = Omit<raw.FieldConfig, 'custom' | 'links' | 'actions'>;
interface StatFields { defaults: Bare; overrides: Override[] }
interface SeriesDefaults extends Bare { custom: SeriesCustom }
interface SeriesFields { defaults: SeriesDefaults; overrides: Override[] }
interface TableDefaults extends Bare { custom: TableCustom }
interface TableFields { defaults: TableDefaults; overrides: Override[] }

type Transformation =
  | { id: 'merge'; options: Record<string, never> }
  | {
      id: 'organize';
      options: {
        excludeByName: Record<string, boolean>;
        indexByName: Record<string, number>;
        renameByName: Record<string, string>;
      };
    };

interface Panel
  extends Omit<raw.Panel, 'type' | 'options' | 'fieldConfig' | 'targets' | 'transformations' | 'datasource' | 'id' | 'gridPos'> {
  id: number;
  gridPos: raw.GridPos;
  title: string;
  description: string;
}
// Grafana calls the options of every panel `Options`; a schema wants a name for each.
type StatOptions = Pick<stat.Options, keyof stat.Options>;
type SeriesOptions = Pick<series.Options, keyof series.Options>;
type SeriesCustom = Pick<series.FieldConfig, keyof series.FieldConfig>;
type TableOptions = Pick<table.Options, keyof table.Options>;
type TableCustom = Pick<table.FieldConfig, keyof table.FieldConfig>;
type TextOptions = Pick<text.Options, keyof text.Options>;

interface StatPanel extends Panel {
  type: 'stat'; options: StatOptions; fieldConfig: StatFields; targets: Target[]; datasource: Source;
}
interface SeriesPanel extends Panel {
  type: 'timeseries'; options: SeriesOptions; fieldConfig: SeriesFields; targets: Target[]; datasource: Source;
}
interface TablePanel extends Panel {
  type: 'table'; options: TableOptions; fieldConfig: TableFields; targets: Target[]; datasource: Source;
  transformations: Transformation[];
}
interface TextPanel extends Panel { type: 'text'; options: TextOptions }

interface Row extends Omit<raw.RowPanel, 'panels'> { panels: [] }

interface DatasourceVariable extends Omit<raw.VariableModel, 'type' | 'query'> { type: 'datasource'; query: 'prometheus' }
interface QueryVariable extends Omit<raw.VariableModel, 'type' | 'query' | 'datasource'> {
  type: 'query'; datasource: Source; query: { qryType: number; query: string; refId: string };
}

export interface Dashboard extends Omit<raw.Dashboard, 'panels' | 'templating' | 'schemaVersion' | 'uid' | 'title' | 'snapshot'> {
  uid: string;
  title: string;
  schemaVersion: 42;
  templating: { list: (DatasourceVariable | QueryVariable)[] };
  panels: (StatPanel | SeriesPanel | TablePanel | TextPanel | Row)[];
}
