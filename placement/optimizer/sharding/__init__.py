"""One problem over several processes or machines, sharded by dataset.

Each worker holds a part of the units. Prices go out and row totals come back, a few hundred
numbers a round whatever the number of units; a sample and the near ties cross once or twice. The
search is that of `placement.optimizer.pricing` and `placement.optimizer.polish`: a part answers
the same questions as a problem in this process.

The engine is Dask's `distributed`: pure Python, no daemon of its own, actors that keep a part
where it is, and the same code over processes of a laptop, a batch system or Kubernetes.
"""
