"""Measure configurations side by side: throwaway servers in pairs, short slices in random order, ratios of rounds."""
