"""AnyNets, RegNets, ResNets and ResNeXts as one family."""

from __future__ import annotations

from darts.models.anynet.config import AnyNetConfig
from darts.models.anynet.cost import anynet_cost
from darts.models.anynet.network import AnyNet
from darts.models.anynet.scaling import scaled_anynet
from darts.models.anynet.zoo import find_anynet, list_anynets
from darts.models.family import Family

ANYNET = Family(
    config=AnyNetConfig,
    network=AnyNet,
    names=list_anynets,
    find=find_anynet,
    cost=anynet_cost,
    scaled=scaled_anynet,
)
