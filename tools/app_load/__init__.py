"""The parts of bench_app.py."""
