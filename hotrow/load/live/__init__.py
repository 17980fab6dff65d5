"""The Contention tab: digests of attempts made by the workers, and the page that shows them during a run.

A worker makes a digest each second. The process that leads the run adds the digests up, keeps a bounded
history, and serves both as JSON to a page in Locust's web UI. A run without a web UI makes no digests.
"""
