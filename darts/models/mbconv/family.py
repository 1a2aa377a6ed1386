"""EfficientNets and FBNetV3s as one family."""

from __future__ import annotations

from darts.models.family import Family
from darts.models.mbconv.config import MBConvConfig
from darts.models.mbconv.cost import mbconv_cost
from darts.models.mbconv.network import MBConvNet
from darts.models.mbconv.scaling import scaled_mbconv
from darts.models.mbconv.zoo import find_mbconv_net, list_mbconv_nets

MBCONV = Family(
    config=MBConvConfig,
    network=MBConvNet,
    names=list_mbconv_nets,
    find=find_mbconv_net,
    cost=mbconv_cost,
    scaled=scaled_mbconv,
)
