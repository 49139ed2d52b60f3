"""The application's metrics. Gauges are summed over living workers (`livesum`) or the largest of theirs (`livemax`)."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

# Fine below 100 ms, where a healthy request is; the last ones hold the statement timeout of 30 s.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

POOL_SIZE = Gauge("app_db_pool_size", "Connections the pools keep.", multiprocess_mode="livesum")
POOL_MAX_OVERFLOW = Gauge(
    "app_db_pool_max_overflow", "Connections the pools may add for a while.", multiprocess_mode="livesum"
)
POOL_CHECKED_OUT = Gauge("app_db_pool_checked_out", "Connections in use.", multiprocess_mode="livesum")
POOL_IDLE = Gauge("app_db_pool_idle", "Open connections not in use.", multiprocess_mode="livesum")
POOL_OVERFLOW = Gauge("app_db_pool_overflow", "Open connections above the pools' size.", multiprocess_mode="livesum")
# A worker serves the connections that it accepted: where clients keep theirs, one may be full while another is idle.
POOL_FULLEST = Gauge(
    "app_db_pool_fullest_ratio",
    "Connections in use by the number that may be open, in the worker whose pool is the fullest.",
    multiprocess_mode="livemax",
)
POOL_WAIT = Histogram("app_db_pool_wait_seconds", "Time until a request had a connection.", buckets=SECONDS)
POOL_TIMEOUTS = Counter("app_db_pool_timeouts", "Requests refused because no connection became free.")
POOL_INVALIDATIONS = Counter("app_db_pool_invalidations", "Pooled connections found broken and dropped.")
CONNECTION_ERRORS = Counter("app_db_connection_errors", "Connections that failed to open or broke in use.")
RETRIES = Counter("app_db_retries", "Units of work run again after a deadlock or a serialization failure.")
COMPILED_CACHE = Counter("app_db_compiled_cache", "Statements whose SQL was ready made, or was not.", ["result"])
COMPILED_CACHE_SIZE = Gauge(
    "app_db_compiled_cache_size", "Statements whose SQL is kept ready made.", multiprocess_mode="livesum"
)
CACHE_REQUESTS = Counter(
    "app_cache_requests", "Requests of cached lists: hit, miss, or wait for another's query.", ["route", "result"]
)
QUERY_DURATION = Histogram(
    "app_db_query_duration_seconds",
    "Time in the database for one unit of work, from a connection in hand to its commit.",
    ["route"],
    buckets=SECONDS,
)
REQUESTS = Counter("http_requests", "Requests answered.", ["method", "route", "code"])
REQUEST_DURATION = Histogram(
    "http_request_duration_seconds",
    "Time from the request to the end of its response.",
    ["method", "route"],
    buckets=SECONDS,
)
