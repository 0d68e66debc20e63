"""The published voices of the super-humanoid service, each with a sound of its own that owes nothing to the vendor's."""

from __future__ import annotations

import functools
import hashlib

from ..speech import timbre
from ..speech.voiceprint import VoicePrint

_MEN = (
    "x6_wennuancixingnansheng_mini",
    "x6_xiaonaigoudidi_mini",
    "x6_wenrounansheng_mini",
    "x6_daqixuanchuanpiannansheng_mini",
    "x6_tiexinnanyou_mini",
    "x6_xiangruiyingyu_pro",
    "x6_taiqiangnuannan_pro",
    "x6_lingbosong_pro",
    "x6_huoposhaonian_pro",
    "x6_ruyadashu_pro",
    "x6_gaolengnanshen_pro",
    "x6_lingfeiyi_pro",
    "x6_feizheChat_pro",
    "x6_pangbainan1_pro",
    "x6_gufengpangbai_pro",
    "x6_lingfeihan_pro",
    "x6_lingfeihao_pro",
    "x6_lingfeibo_pro",
    "x6_waiguodashu_pro",
    "x6_lingfeiwen_pro",
    "x5_lingfeiyi_flow",
    "x4_zijin_oral",
    "x4_ziyang_oral",
    "x4_lingfeiyi_oral",
    "x4_lingfeizhe_oral",
)
_WOMEN = (
    "x6_shibingnvsheng_mini",
    "x6_kongbunvsheng_mini",
    "x6_yulexinwennvsheng_mini",
    "x6_jingqudaolannvsheng_mini",
    "x6_gufengxianv_mini",
    "x6_wuyediantai_mini",
    "x6_cuishounvsheng_pro",
    "x6_yingxiaonv_pro",
    "x6_wumeinv_pro",
    "x6_huajidama_pro",
    "x6_lingxiaoxue_pro",
    "x6_ganliannvxing_pro",
    "x6_lingxiaoyun_pro",
    "x6_lingxiaoli_pro",
    "x6_xiaoqiChat_pro",
    "x6_lingxiaoyue_pro",
    "x6_lingxiaoxuan_pro",
    "x6_lingyuyan_pro",
    "x6_lingxiaoying_pro",
    "x6_pangbainv1_pro",
    "x6_lingyuaner_pro",
    "x6_lingyufei_pro",
    "x6_lingxiaoshan_pro",
    "x6_lingxiaozhen_pro",
    "x6_dongmanshaonv_pro",
    "x6_huifangnv_pro",
    "x5_lingxiaoxuan_flow",
    "x5_lingxiaoyue_flow",
    "x5_lingyuzhao_flow",
    "x5_lingyuyan_flow",
    "x5_lingxiaotang_flow",
    "x5_EnUs_Grant_flow",
    "x5_EnUs_Lila_flow",
    "x4_lingxiaoxuan_oral",
    "x4_lingyuzhao_oral",
    "x4_lingxiaoyue_oral",
    "x4_lingxiaoqi_oral",
    "x4_lingyuyan_oral",
)
_CHILDREN = ("x6_huanlemianbao_pro", "x6_dudulibao_pro", "x6_lingyouyou_pro")
VCNS = (*_MEN, *_WOMEN, *_CHILDREN)
ENGLISH = ("x5_EnUs_Grant_flow", "x5_EnUs_Lila_flow")
WITHOUT_MARK = ("x5_lingxiaotang_flow", *ENGLISH)
"""Voices that do not support the audible mark."""

# Lowest and highest median F0 in Hz, lowest and highest formant scale.
_BODIES = {"man": (92.0, 138.0, 0.90, 1.0), "woman": (176.0, 248.0, 1.02, 1.14), "child": (262.0, 310.0, 1.18, 1.24)}
_STEPS = 0xFFFF


@functools.cache
def voice(vcn: str) -> VoicePrint:
    """Equal names, equal voices. Of the names that are not published any body may come."""
    body = "man" if vcn in _MEN else "woman" if vcn in _WOMEN else "child" if vcn in _CHILDREN else ""
    return made_up(vcn, body=body)


def made_up(seed: str, *, body: str = "") -> VoicePrint:
    """A voice drawn from a text, for whom no recording exists."""
    digest = hashlib.sha256(seed.encode()).digest()
    lowest, highest, small, large = _BODIES[body or ("man", "woman")[digest[0] % 2]]
    f0 = lowest + (highest - lowest) * int.from_bytes(digest[1:3]) / _STEPS
    formant = small + (large - small) * int.from_bytes(digest[3:5]) / _STEPS
    tilt = (digest[5] / 255 - 0.5) * 12
    gains = tuple(round(tilt * (band / (timbre.BANDS - 1) - 0.5), 2) for band in range(timbre.BANDS))
    return VoicePrint(f0=f0, low=f0 * 0.8, high=f0 * 1.25, formant=formant, gains=gains)
