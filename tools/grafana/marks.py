"""Where values begin to be wrong, each with its reason. Where there is an alert, its mark is one of them."""

from __future__ import annotations

from grafana.limits import Limits

_HOUR, _DAY = 3600, 86_400

ANY = Limits(warning=1)
ANY_IS_BAD = Limits(critical=1)
# ConnectionsHigh; at nine tenths one more worker, or a deployment beside the running one, is refused.
CONNECTIONS = Limits(0.75, 0.9)
# PoolSaturation; above, requests queue for as long as the slowest unit of work.
POOL = Limits(0.8, 0.95)
# DatabaseCpuHigh; above 0.95 it is at its limit, whatever the limit is.
CPU = Limits(0.8, 0.95)
# The proof leaves a tenth to what it cannot count; within 5 % the kernel is next.
MEMORY = Limits(0.85, 0.95)
# A fifth is what a full backup or a rewrite of a large table may need for a while.
DISK = Limits(0.2, 0.1, low=True)
# A day of growth is time to act, three to plan: DiskFilling predicts one.
DISK_FULL_IN = Limits(3 * _DAY, _DAY, low=True)
# Room for ten segments of the smallest ballast, and for two.
REPOSITORY = Limits(10 * 2**30, 2 * 2**30, low=True)
# A daily backup that is two hours late; BackupTooOld.
BACKUP_AGE = Limits(26 * _HOUR, 7 * _DAY)
# A weekly drill that is a day late; RestoreDrillTooOld.
DRILL_AGE = Limits(8 * _DAY, 35 * _DAY)
# An hour without the database is what most promise to stay below.
RESTORE_TIME = Limits(warning=_HOUR)
# Segments are archived once a minute at the latest: twice that, and ten times.
RESTORE_LOSS = Limits(120, 600)
# WalArchiveBacklog; 64 segments are 1 GiB.
WAL_WAITING = Limits(5, 64)
# One segment, which is as much as the archive lacks; and sixteen.
RECEIVER = Limits(16 * 2**20, 256 * 2**20)
# CacheHitLow; below 0.95 one block of twenty is read.
CACHE = Limits(0.99, 0.95, low=True)
# QueryLatencyHigh is at a second; half of it is what a person notices.
LATENCY = Limits(0.5, 1)
MEDIAN = Limits(0.1, 0.5)
SECOND = Limits(critical=1)
# A statement of a second is slow for a web app; SlowStatement is at five.
STATEMENT = Limits(1, 5)
MEAN_STATEMENT = Limits(0.1, 1)
# The error budget of 99.9 %, and ten times as fast.
FAILED = Limits(0.001, 0.01)
# Waiting that a request feels beside its work; and half a minute before the pool's own limit.
POOL_WAIT = Limits(0.05, 1)
# One in a hundred seconds: a rate that rounds to zero is none.
RARE = Limits(warning=0.01)
RARE_IS_BAD = Limits(critical=0.01)
# At 1 the app alone could take every connection.
POOLS_OF_SERVER = Limits(0.9, 1)
# The app's role is allowed a minute; five hold vacuum back on a busy table.
IDLE = Limits(60, 300)
# A report takes minutes; nothing of an app takes an hour.
TRANSACTION = Limits(300, _HOUR)
# One waits now and then; a queue is several, a standstill many.
QUEUE = Limits(5, 20)
# TableBloat is at a fifth.
DEAD = Limits(0.1, 0.2)
BLOAT = Limits(0.2, 0.5)
# An index is a third empty by its nature after a while.
INDEX_BLOAT = Limits(0.3, 0.5)
ALL_WORKERS = Limits(warning=1)
# WraparoundNear, at 1.0 and 1.5 of 2.1 billion.
XID = Limits(0.47, 0.7)
# Half of the time: then memory or an index is what is missing, not CPU.
DISK_TIME = Limits(0.5, 0.9)
# Ten minutes: a start that somebody may not have noticed.
JUST_STARTED = Limits(warning=600, low=True)
# The slowest collectors look every five minutes: two looks were missed; an hour's.
LOOK_AGE = Limits(900, _HOUR)
# What a scrape may take; at a second it is late at the next.
SCRAPE = Limits(0.2, 1)
UP = Limits(critical=1, low=True)
