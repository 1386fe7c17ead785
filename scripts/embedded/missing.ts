/**
 * What hosted Supabase has and the embedded one has not: for docs/embedded.md, which is built from it, and for migrations that
 * trip over it.
 */

/** A part that is missing, by what a migration would call it. */
interface Missing {
  /** As people know it. */
  name: string;
  /** What it is for. */
  what: string;
  /** Others of its kind. */
  relatives?: string[];
  schemas?: string[];
  roles?: string[];
  /** With their schema, where that is neither extensions nor public. */
  types?: RegExp;
  functions?: RegExp;
  /** Index methods, operator classes and languages. */
  others?: RegExp;
  relations?: RegExp;
  /** What PostgreSQL says where it is a right that is missing. */
  refusal?: RegExp;
}

/** Extensions of hosted Supabase that come with neither PostgreSQL nor a stand-in. */
export const missingExtensions: readonly Missing[] = [
  {
    name: 'vector',
    what: 'embeddings and their indexes (pgvector)',
    types: /^(vector|halfvec|sparsevec)$/,
    others: /^(hnsw|ivfflat|(vector|halfvec|sparsevec|bit)_\w+_ops)$/,
  },
  {
    name: 'postgis',
    what: 'places and shapes',
    relatives: ['postgis_*', 'pgrouting', 'address_standardizer', 'address_standardizer_data_us'],
    schemas: ['topology', 'tiger', 'tiger_data'],
    types: /^(geometry|geography|box2d|box3d|raster)$/,
    functions: /^(st_\w+|postgis_\w+|pgr_\w+)$/,
  },
  { name: 'pgmq', what: 'message queues', schemas: ['pgmq', 'pgmq_public'] },
  { name: 'http', what: 'requests that are waited for', types: /^http_\w+$/, functions: /^http(_\w+)?$/ },
  { name: 'pg_jsonschema', what: 'checks of JSON', functions: /^jsonb?_matches_schema$/ },
  {
    name: 'wrappers',
    what: 'foreign tables over other services',
    functions: /^\w+_fdw_(handler|validator|meta)$/,
  },
  {
    name: 'pgroonga',
    what: 'full text search in all languages',
    relatives: ['pgroonga_database'],
    others: /^pgroonga/,
  },
  { name: 'rum', what: 'an index for full text search', others: /^rum/ },
  {
    name: 'plv8',
    what: 'functions in JavaScript',
    relatives: ['plcoffee', 'plls'],
    others: /^(plv8|plcoffee|plls)$/,
  },
  { name: 'timescaledb', what: 'time series', functions: /^(create_hypertable|time_bucket)$/ },
  { name: 'pgsodium', what: 'encryption', schemas: ['pgsodium', 'pgsodium_masks'] },
  { name: 'pg_partman', what: 'partitions by themselves', schemas: ['partman'] },
  { name: 'pg_hashids', what: 'short ids', functions: /^(id|hash)_(en|de)code(_once)?$/ },
  { name: 'pgtap', what: 'tests in SQL' },
  { name: 'plpgsql_check', what: 'a linter for PL/pgSQL' },
  {
    name: 'hypopg',
    what: 'indexes that are only thought of',
    relatives: ['index_advisor'],
    functions: /^(hypopg\w*|index_advisor)$/,
  },
  { name: 'pg_tle', what: 'extensions of your own, as database.dev installs them', schemas: ['pgtle'] },
  {
    name: 'pgaudit',
    what: 'logs and figures for administrators',
    relatives: ['pg_repack', 'pg_stat_monitor', 'pg_wait_sampling'],
  },
  {
    name: 'orioledb',
    what: 'another storage, another engine',
    relatives: ['pg_duckdb'],
    others: /^orioledb$/,
  },
];

/** Everything else. */
export const missingParts: readonly Missing[] = [
  {
    name: 'event triggers',
    what: 'postgres cannot create them: PostgreSQL leaves them to superusers. Where yours turns row security on, say it for each table',
    refusal: /^permission denied to create event trigger/,
  },
  {
    name: 'publications for all tables',
    what: 'postgres cannot create them. Name the tables',
    refusal: /^must be superuser to create (FOR ALL TABLES|FOR TABLES IN SCHEMA) publication/,
  },
  {
    name: 'some tables of Auth',
    what: 'those of its OAuth server, passkeys and custom providers: auth.oauth_*, auth.webauthn_*, auth.custom_oauth_providers',
    relations: /^auth\.(oauth_\w+|webauthn_\w+|custom_oauth_providers)$/,
  },
  {
    name: 'some tables and functions of Storage',
    what: 'for analytics, vectors and the listing of files: storage.buckets_analytics, buckets_vectors, vector_indexes, iceberg_*, prefixes, search, list_objects_with_delimiter',
    relations: /^storage\.(buckets_analytics|buckets_vectors|vector_indexes|iceberg_\w+|prefixes)$/,
    functions:
      /^storage\.(search|search_v2|search_by_timestamp|list_\w+_with_delimiter|can_insert_object|get_common_prefix)$/,
  },
  {
    name: 'the inside of Realtime',
    what: 'realtime.subscription, its types and the functions that read the log; schema _realtime',
    schemas: ['_realtime'],
    relations: /^realtime\.(subscription|schema_migrations)$/,
    functions:
      /^realtime\.(apply_rls|list_changes|is_visible_through_filters|check_equality_op|build_prepared_statement_sql|quote_wal2json)$/,
  },
  {
    name: 'other schemas and roles of the platform',
    what: '_analytics, _supavisor, pgbouncer; pgsodium_keyholder, pgsodium_keyiduser, pgsodium_keymaker, pgtle_admin',
    schemas: ['_analytics', '_supavisor', 'pgbouncer'],
    roles: ['pgsodium_keyholder', 'pgsodium_keyiduser', 'pgsodium_keymaker', 'pgtle_admin'],
  },
];

/** The page that lists it. */
const PAGE = 'docs/embedded.md';

/** What stands behind a message of PostgreSQL, where that is something which only hosted Supabase has. */
export function missingHere(message: string): string | undefined {
  const said = message.replace(/^ERROR: +/, '');
  const refused = missingParts.find((part) => part.refusal?.test(said));
  const absent = extensionOf(said) ?? partOf(said);
  if (!refused && !absent) return undefined;
  const what = refused
    ? `On the embedded Supabase postgres cannot create ${refused.name}, as it can on hosted Supabase.`
    : `${absent} is not part of the embedded Supabase.`;
  return `${what} ${PAGE} lists what is, what is not, and how a migration gets past it.`;
}

/** Any extension, known or not: what PostgreSQL itself advises, to install it on the server, helps nobody here. */
function extensionOf(said: string): string | undefined {
  const name = /extension "([^"]+)" is not available/.exec(said)?.[1];
  return name && `The extension ${name}`;
}

function partOf(said: string): string | undefined {
  const absent = /^(\w+(?: method| class)?) (?:"([^"]+)"|([\w.]+)\(.*\)).* does not exist/.exec(said);
  if (!absent) return undefined;
  const [, kind = '', quoted, called] = absent;
  const name = quoted ?? called ?? '';
  const label = `${labels[kind]} ${name}`;
  const extension = missingExtensions.find((part) => has(part, kind, name));
  if (extension) return `${label}, of the extension ${extension.name},`;
  return missingParts.some((part) => has(part, kind, name)) ? label : undefined;
}

const labels: Record<string, string> = {
  schema: 'The schema',
  role: 'The role',
  type: 'The type',
  relation: 'The table',
  language: 'The language',
  'access method': 'The index method',
  'operator class': 'The operator class',
  function: 'The function',
};

function has(part: Missing, kind: string, qualified: string): boolean {
  // Where extensions go.
  const name = qualified.replace(/^(extensions|public)\./, '');
  switch (kind) {
    case 'schema':
      return part.schemas?.includes(name) ?? false;
    case 'role':
      return part.roles?.includes(name) ?? false;
    case 'type':
      return part.types?.test(name) ?? false;
    case 'relation':
      return part.relations?.test(name) ?? false;
    case 'function':
      return part.functions?.test(name) ?? false;
    case 'language':
    case 'access method':
    case 'operator class':
      return part.others?.test(name) ?? false;
    default:
      return false;
  }
}
