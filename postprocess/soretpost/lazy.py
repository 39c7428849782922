# SPDX-License-Identifier: BSD-2-Clause
"""An Array for xarray that reads when it is indexed or computed with, and not before."""
from xarray.backends import BackendArray
from xarray.core import indexing


class LazyArray(BackendArray):
    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def __getitem__(self, key):
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self.read)

    def read(self, key):
        return self.array[key]


def lazily(array):
    return indexing.LazilyIndexedArray(LazyArray(array))
