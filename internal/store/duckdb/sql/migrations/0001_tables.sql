-- Everything that Eddy keeps, in the words that the pages and the JSON use.
-- Times are UTC, to the nanosecond; 1678-01-01 00:00:00 stands for "not known".
-- Ids are lower-case hexadecimal, as other tools show them.

-- schema_version and journal_position, each once.
CREATE TABLE meta (
	name  VARCHAR NOT NULL,
	value UBIGINT NOT NULL
);
INSERT INTO meta VALUES ('schema_version', 0), ('journal_position', 0);

-- Who emitted spans and logs; their column "resource" points here.
CREATE TABLE resources (
	resource    UUID NOT NULL, -- a hash of the other columns
	service     VARCHAR NOT NULL,
	namespace   VARCHAR NOT NULL,
	version     VARCHAR NOT NULL,
	instance    VARCHAR NOT NULL,
	environment VARCHAR NOT NULL,
	attributes  MAP(VARCHAR, VARCHAR) NOT NULL
);

CREATE TYPE kind AS ENUM ('unspecified', 'internal', 'server', 'client', 'producer', 'consumer');
CREATE TYPE status AS ENUM ('unset', 'ok', 'error');

-- Spans as they are cheap to store, since there are more of them than of
-- everything else together; ask the view spans. No index: rows come nearly in
-- the order of time, so the least and greatest start_time that DuckDB keeps of
-- every 122,880 rows find a window, and an index on trace would have to fit in
-- memory.
CREATE TABLE span_rows (
	start_time  TIMESTAMP_NS NOT NULL,
	end_time    TIMESTAMP_NS NOT NULL,
	duration_ns BIGINT NOT NULL, -- 0 where the emitter's clock ran backwards
	trace       UUID NOT NULL,
	span        UBIGINT NOT NULL,
	parent      UBIGINT, -- NULL for a root
	name        VARCHAR NOT NULL,
	kind        kind NOT NULL,
	status      status NOT NULL,
	message     VARCHAR, -- of the status, NULL if empty
	attributes  VARCHAR NOT NULL, -- JSON object of texts
	events      VARCHAR, -- JSON, NULL if none
	links       VARCHAR, -- JSON, NULL if none
	dropped     UINTEGER NOT NULL,
	resource    UUID NOT NULL
);

CREATE VIEW spans AS
SELECT s.start_time, s.end_time, s.duration_ns,
       replace(s.trace::VARCHAR, '-', '') AS trace_id,
       format('{:016x}', s.span) AS span_id,
       format('{:016x}', s.parent) AS parent_span_id, -- NULL for a root
       r.service, r.version, r.instance, s.name, s.kind, s.status,
       coalesce(s.message, '') AS message, -- of the status
       s.attributes::JSON::MAP(VARCHAR, VARCHAR) AS attributes, -- attributes['http.route']
       s.events::JSON AS events, -- [{"time_ns", "name", "attributes"}], NULL if none
       s.links::JSON AS links, -- [{"trace_id", "span_id", "attributes"}], NULL if none
       s.dropped, -- attributes, events and links that were left out
       s.resource
FROM span_rows s
JOIN resources r ON r.resource = s.resource;

CREATE TABLE logs (
	time       TIMESTAMP_NS NOT NULL,
	trace_id   VARCHAR, -- NULL if the record belongs to no trace
	span_id    VARCHAR,
	severity   INTEGER NOT NULL, -- 1 to 24 as in OTLP, 0 if unknown
	event_name VARCHAR NOT NULL,
	body       VARCHAR NOT NULL,
	service    VARCHAR NOT NULL,
	version    VARCHAR NOT NULL,
	instance   VARCHAR NOT NULL,
	attributes MAP(VARCHAR, VARCHAR) NOT NULL,
	resource   UUID NOT NULL
);

CREATE TABLE changes (
	time      TIMESTAMP_NS NOT NULL,
	id        VARCHAR NOT NULL,
	kind      VARCHAR NOT NULL,
	entity    VARCHAR NOT NULL,
	instance  VARCHAR NOT NULL,
	dimension VARCHAR NOT NULL,
	value     VARCHAR NOT NULL,
	previous  VARCHAR NOT NULL,
	ends      BOOLEAN NOT NULL,
	origin    VARCHAR NOT NULL, -- reported, inferred, derived
	source    VARCHAR NOT NULL,
	actor     VARCHAR NOT NULL,
	summary   VARCHAR NOT NULL,
	url       VARCHAR NOT NULL
);

-- What the numbers in observations.conditions stand for.
CREATE TABLE conditions (
	id        UINTEGER NOT NULL,
	entity    VARCHAR NOT NULL,
	dimension VARCHAR NOT NULL,
	value     VARCHAR NOT NULL
);

CREATE TABLE observations (
	time            TIMESTAMP_NS NOT NULL, -- the request's start
	trace_id        VARCHAR NOT NULL,
	span_id         VARCHAR NOT NULL, -- of the entry
	service         VARCHAR NOT NULL,
	operation       VARCHAR NOT NULL,
	duration_ns     BIGINT NOT NULL,
	outcome         VARCHAR NOT NULL, -- ok, failed, slow
	reason          VARCHAR NOT NULL,
	weight          DOUBLE NOT NULL, -- how many requests this one stands for
	conditions      UINTEGER[] NOT NULL, -- conditions.id
	missing_root    BOOLEAN NOT NULL,
	missing_parents BIGINT NOT NULL,
	skewed_spans    BIGINT NOT NULL,
	dropped_items   BIGINT NOT NULL,
	truncated       BOOLEAN NOT NULL
);

-- One row for each condition of each observation, for queries by hand. What
-- share of the requests failed with each condition in force:
--   SELECT entity, dimension, value,
--          coalesce(sum(weight) FILTER (outcome = 'failed'), 0) / sum(weight) AS risk
--   FROM observed GROUP BY ALL ORDER BY risk DESC
CREATE VIEW observed AS
SELECT o.time, o.trace_id, o.span_id, o.service, o.operation, o.duration_ns,
       o.outcome, o.reason, o.weight, c.entity, c.dimension, c.value
FROM (SELECT *, unnest(conditions) AS condition FROM observations) o
JOIN conditions c ON c.id = o.condition;

CREATE TABLE totals (
	bucket    BIGINT NOT NULL, -- Unix seconds, a multiple of 10
	service   VARCHAR NOT NULL,
	operation VARCHAR NOT NULL,
	requests  BIGINT NOT NULL,
	failed    BIGINT NOT NULL,
	slow      BIGINT NOT NULL
);

-- What each step found in its window, the one that explains most first.
CREATE TABLE findings (
	window_start TIMESTAMP_NS NOT NULL,
	window_end   TIMESTAMP_NS NOT NULL,
	outcome      VARCHAR NOT NULL, -- the one explained: failed or slow
	rank         INTEGER NOT NULL,
	verdict      VARCHAR NOT NULL,
	grade        VARCHAR NOT NULL,
	conditions   VARCHAR[] NOT NULL, -- "entity dimension=value"
	coverage     DOUBLE NOT NULL,
	excess       DOUBLE NOT NULL,
	difference   DOUBLE NOT NULL,
	p            DOUBLE NOT NULL,
	document     JSON NOT NULL -- the whole finding
);

CREATE TABLE incidents (
	id           VARCHAR NOT NULL,
	state        VARCHAR NOT NULL, -- open, mitigated, resolved
	title        VARCHAR NOT NULL,
	outcome      VARCHAR NOT NULL,
	opened       TIMESTAMP_NS NOT NULL,
	began        TIMESTAMP_NS NOT NULL,
	updated      TIMESTAMP_NS NOT NULL,
	closed       TIMESTAMP_NS NOT NULL,
	last_failure TIMESTAMP_NS NOT NULL,
	failures     BIGINT NOT NULL,
	requests     BIGINT NOT NULL,
	document     JSON NOT NULL -- the whole incident
);
