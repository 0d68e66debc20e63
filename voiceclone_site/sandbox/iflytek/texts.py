"""What there is to read aloud. The vendor's own sentences are not public: these are the sandbox's."""

from __future__ import annotations

from collections.abc import Mapping

TEXT_ID = 5001
"""The only set whose number is published."""

_CHINESE = (
    "清晨的雾气还没有散去，河边已经有人在散步，几只白鹭站在浅水里，安静地等着太阳从山后面慢慢升起来。",
    "这家小店开了二十多年，老板每天亲手揉面，熬汤的火从不熄灭，附近的居民都习惯在这里吃一碗热面再去上班。",
    "周末我带孩子去了科技馆，他最喜欢那台会下棋的机器人，围着它看了整整一个下午，还不肯回家吃晚饭。",
    "如果明天不下雨，我们就骑车去郊外，沿着新修的绿道一直走到水库，中午在岸边的树荫下野餐。",
    "图书馆三楼靠窗的位置最受欢迎，冬天的阳光正好落在桌面上，翻开书本，时间就这样不知不觉地过去了。",
    "奶奶的院子里种着石榴和葡萄，每到秋天，果实挂满枝头，邻居们都会来尝一尝，顺便聊聊家常。",
    "列车穿过长长的隧道，窗外忽然明亮起来，大片金黄的油菜花铺满山谷，车厢里响起了一阵惊叹声。",
    "学习一门外语，最重要的是每天坚持，哪怕只读十分钟，半年以后，你也会惊讶自己的变化。",
    "傍晚的菜市场格外热闹，卖鱼的吆喝声，讨价还价的笑声，还有刚出炉的烧饼香，混在一起就是生活。",
    "他把旧收音机拆开又装好，拧紧最后一颗螺丝，轻轻转动旋钮，熟悉的戏曲声便从喇叭里传了出来。",
    "登山的人常说，最难走的不是陡坡，而是快到山顶的那一段路，因为那时候力气和耐心都快用完了。",
    "春节前的火车站人来人往，大家提着大包小包，脸上带着疲惫，眼睛里却都是快要到家的欢喜。",
    "海风吹过老城的石板路，晾在窗外的衣服轻轻摆动，一只花猫趴在墙头，懒洋洋地看着过路的游客。",
    "医生提醒我们，久坐一个小时就应该站起来走一走，看看远处，喝一杯温水，让眼睛和肩膀都休息一下。",
    "小时候的夏夜，我们躺在竹床上数星星，听爷爷讲古老的故事，蛙声一阵一阵，像是在替他伴奏。",
    "新的地铁线路开通以后，从城东到城西只要半个小时，许多人把开了多年的汽车留在了家里的车库。",
    "她在阳台上种了薄荷、番茄和几盆月季，每天早晨浇水的时候，总觉得自己也跟着它们一起长大。",
    "古镇的桥边有一家修表的铺子，老师傅戴着放大镜，低头摆弄细小的齿轮，仿佛外面的喧闹与他无关。",
    "雪下了整整一夜，推开门，院子里白得发亮，孩子们顾不上戴手套，就冲出去堆起了雪人。",
    "生活不会总是顺利，但只要愿意停下来想一想，再勇敢地往前走一步，就会看到完全不同的风景。",
)
_ENGLISH = (
    "The harbour was quiet before sunrise, and only a few fishermen were mending their nets under the yellow lamps.",
    "My grandmother keeps a small garden behind the house, where tomatoes, beans and roses grow side by side all summer.",
    "If the weather stays dry tomorrow, we will cycle along the canal and have lunch under the old oak tree.",
    "The library on the corner stays open until nine, and its warmest seat is the one beside the tall window.",
    "Learning a language takes patience, but ten minutes of reading every day will change more than you expect.",
    "The train came out of the tunnel, and suddenly the whole valley was bright with flowers on both sides of the river.",
    "He took the broken radio apart, cleaned every piece with a brush, and smiled when the music began to play again.",
    "On Saturday morning the market is full of voices, fresh bread, wet umbrellas and people who are in no hurry.",
    "The doctor told us to stand up once an hour, look at something far away, and drink a glass of water.",
    "Snow had fallen all night long, and the children ran outside before anybody could find their gloves.",
    "The bridge was closed for repairs, so we walked the long way round and discovered a wonderful little bakery.",
    "She waters the plants on her balcony every evening, and says that talking to them does no harm at all.",
    "Climbers often say that the last hundred metres are the hardest, because by then your strength is almost gone.",
    "A grey cat was sleeping on the wall, and it did not even open one eye when the tourists walked past.",
    "The new line opened last month, and now it takes me only half an hour to cross the city in the morning.",
    "When I was young we used to lie on the roof in summer, counting stars and listening to stories.",
    "The watchmaker bent over his table with a magnifying glass, as if the noise in the street did not concern him.",
    "Please remember to bring your ticket, a warm coat and something to eat, because the journey is longer than it looks.",
    "Nothing smells better than rain on a hot road, especially after three weeks without a single cloud.",
    "Things will not always go well, but one small step forward is often enough to see a different view.",
)
# Only 5001 is published; the vendor has texts in other languages, whose numbers are not. 5002 is the sandbox's own.
SETS: Mapping[int, tuple[str, tuple[str, ...]]] = {
    TEXT_ID: ("通用训练文本", _CHINESE),
    5002: ("英文训练文本", _ENGLISH),
}
# People who read aloud stay between these, in Han characters a second; an English letter counts a third of one.
_FASTEST, _SLOWEST = 9.0, 1.4


def segment(text_id: int, segment_id: int) -> str | None:
    """One sentence; its number counts from 1."""
    _, sentences = SETS.get(text_id, ("", ()))
    return sentences[segment_id - 1] if 1 <= segment_id <= len(sentences) else None


def plausible_seconds(sentence: str) -> tuple[float, float]:
    """Shortest and longest time in which a person reads a sentence aloud."""
    letters = sum(char.isascii() and char.isalpha() for char in sentence)
    characters = sum(char.isalpha() for char in sentence) - letters + letters / 3
    return characters / _FASTEST, characters / _SLOWEST
