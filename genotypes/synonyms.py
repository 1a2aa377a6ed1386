"""Names of operations in other programs, where they mean exactly one of ours.

Only names whose program builds the same layers are here: NNI's and NASLib's operations of the
DARTS space, and those of AutoDL-Projects (GDAS), whose `dua_sepc` is two separable convolutions in
a row, as in DARTS. Names that mean different layers in different programs (`conv_3x3`) stay
unknown.

Sources: microsoft/nni (`darts.py` of the retiarii and 1.x examples), automl/NASLib
(`nasbench301/conversions.py`), D-X-Y/AutoDL-Projects (`models/cell_operations.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SYNONYMS: Mapping[str, str] = MappingProxyType(
    {
        # NNI 1.x
        "maxpool": "max_pool_3x3",
        "avgpool": "avg_pool_3x3",
        "skipconnect": "skip_connect",
        "sepconv3x3": "sep_conv_3x3",
        "sepconv5x5": "sep_conv_5x5",
        "dilconv3x3": "dil_conv_3x3",
        "dilconv5x5": "dil_conv_5x5",
        # NASLib
        "MaxPool": "max_pool_3x3",
        "AvgPool": "avg_pool_3x3",
        "Identity": "skip_connect",
        "FactorizedReduce": "skip_connect",
        "SepConv3x3": "sep_conv_3x3",
        "SepConv5x5": "sep_conv_5x5",
        "DilConv3x3": "dil_conv_3x3",
        "DilConv5x5": "dil_conv_5x5",
        # AutoDL-Projects
        "dua_sepc_3x3": "sep_conv_3x3",
        "dua_sepc_5x5": "sep_conv_5x5",
        "dil_sepc_3x3": "dil_conv_3x3",
        "dil_sepc_5x5": "dil_conv_5x5",
    }
)


def usual_name(operation: str) -> str:
    """Our name of an operation; a name that is no synonym is returned as it is.

    >>> usual_name("sepconv3x3"), usual_name("sep_conv_3x3")
    ('sep_conv_3x3', 'sep_conv_3x3')
    """
    return SYNONYMS.get(operation, operation)
