"""Tests of what makes the embedded model. Most need no torch; none needs the network or fetched data."""
