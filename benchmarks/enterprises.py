"""Invented enterprises, a million and a half of them, and the ways people get their names wrong.

Seeded. Places, trades, forms and brand characters are this file's own, written by hand and not read from ``schemas``:
search must not be measured with the lists it cuts names by. Some places here are in no list of divisions (高新区, 两江新区),
some trades are in no vocabulary. Codes have a right check character and a division of the province.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from opencc import OpenCC
from pypinyin import lazy_pinyin

from schemas.identifiers import USCC_ALPHABET

PROVINCES = {
    "11": "北京:海淀区 朝阳区 通州区 怀柔区",
    "12": "天津:武清区 滨海新区 北辰区",
    "13": "河北:石家庄 唐山 保定 邯郸 廊坊 沧州 任丘市",
    "14": "山西:太原 大同 长治 运城 临汾 晋城",
    "15": "内蒙古:呼和浩特 包头 赤峰 鄂尔多斯 通辽",
    "21": "辽宁:沈阳 大连 鞍山 抚顺 营口 朝阳 铁岭",
    "22": "吉林:长春 四平 通化 延边",
    "23": "黑龙江:哈尔滨 大庆 齐齐哈尔 牡丹江 佳木斯",
    "31": "上海:浦东新区 嘉定区 松江区 奉贤区",
    "32": "江苏:南京 苏州 无锡 常州 南通 徐州 扬州 昆山 张家港市 江阴市",
    "33": "浙江:杭州 宁波 温州 嘉兴 绍兴 台州 义乌 慈溪市 海宁市",
    "34": "安徽:合肥 芜湖 蚌埠 安庆 滁州 六安 池州",
    "35": "福建:福州 厦门 泉州 漳州 莆田 晋江 闽侯县",
    "36": "江西:南昌 九江 赣州 宜春 上饶 景德镇",
    "37": "山东:济南 青岛 烟台 潍坊 淄博 临沂 菏泽 德州 寿光市",
    "41": "河南:郑州 洛阳 新乡 南阳 开封 许昌 济源 巩义市",
    "42": "湖北:武汉 宜昌 襄阳 荆州 黄石 黄冈 十堰 仙桃",
    "43": "湖南:长沙 株洲 湘潭 衡阳 岳阳 常德 浏阳市",
    "44": "广东:广州 深圳 东莞 佛山 中山 惠州 珠海 汕头 顺德区",
    "45": "广西:南宁 柳州 桂林 玉林 北海",
    "46": "海南:海口 三亚 儋州",
    "51": "四川:成都 绵阳 德阳 宜宾 泸州 乐山 南充 自贡 内江 遂宁 广元 达州 "
    "攀枝花 绵阳市涪城区 绵阳市游仙区 绵阳市安州区 三台县 盐亭县 梓潼县 北川羌族自治县 平武县 江油市 成都高新区 天府新区 "
    "绵阳高新区 绵阳科创区 什邡市 峨眉山市",
    "50": "重庆:北碚 北碚区 重庆市北碚区 渝北区 江津区 涪陵区 万州区 长寿区 合川 永川 璧山区 铜梁 "
    "大足区 荣昌区 綦江 垫江县 重庆两江新区 重庆高新区 蔡家组团",
    "52": "贵州:贵阳 遵义 六盘水 毕节 铜仁",
    "53": "云南:昆明 曲靖 玉溪 大理 红河",
    "54": "西藏:拉萨 日喀则",
    "61": "陕西:西安 宝鸡 咸阳 渭南 汉中 榆林",
    "62": "甘肃:兰州 天水 酒泉 白银",
    "63": "青海:西宁 格尔木",
    "64": "宁夏:银川 石嘴山",
    "65": "新疆:乌鲁木齐 克拉玛依 昌吉 喀什 石河子",
}  # fmt: skip
"""First two digits of a division → the province and places in it, as they stand in names."""
HOME = {"51": 14, "50": 14, "44": 4, "32": 4, "33": 3, "37": 3}
"""How often a province is drawn; 1 where not named."""
BRAND = (
    "宏达华兴盛泰昌隆鑫源恒通瑞丰金银玉宝龙凤祥和顺安康宁永久长福禄寿喜天地人东西南北中正光明辉煌星月日新亚欧美大小山川江河湖海云雨雪风雷电火"
    "木水土石铁钢铜春夏秋冬梅兰竹菊松柏青蓝红白紫翠荣富贵佳嘉诚信义仁德智勇博文武英杰俊豪飞腾跃升启航远景程万亿千百双三元开创立建业成功优良品"
    "质精益卓越凯科维力强胜利捷达迅驰骏马鹏鹰雁鹤虎狮象鼎尊冠帝皇王君子悦乐欢庆朗晴晨曦旭阳虹霞锦绣绮丽雅致尚格润泽沃茂林森柯桂枫桐澳港台渝蜀"
    "巴川涪碚秦晋豫湘赣闽粤桥众合聚汇集融联邦盟友善美洁净绿环生态循再利民惠普济世纪时代先锋领航晶磊淼焱垚皓昊昱晟烨琪琳瑶珂珊珠玺璟"
)
TRADES = tuple(
    (
        "电子 化工 机械 环保科技 商贸 建材 汽车零部件 食品 包装 印务 纺织 服饰 家具 塑料制品 金属制品 铸造 "
        "模具 电镀 表面处理 新能源 新材料 生物科技 医药 医疗器械 信息技术 网络科技 物流 运输 建筑工程 装饰工程 园林绿化 农业开发 "
        "养殖 饲料 酒业 茶业 水泥 混凝土 石材 陶瓷 玻璃 橡胶 纸业 电缆 电器 光电科技 仪器仪表 阀门 "
        "泵业 轴承 锻造 热处理 冶金 矿业 煤业 天然气 再生资源 固废处置 污水处理 检测技术 咨询 房地产开发 物业管理 餐饮管理 "
        "文化传播 教育咨询 劳务 汽车销售服务 摩托车配件 通用机械制造 精密机械 自动化设备 智能装备 压铸 铝业 铜业 锌品 涂料 油墨 日化 "
        "洗涤 肥业 磷化 气体 制药 中药饮片 粮油 调味品 榨菜 豆制品 乳业 屠宰 肉类加工 皮革 鞋业 制衣 "
        "印染 丝绸 竹木 门窗 幕墙 钢结构 管道 防水材料 保温材料 砖业 页岩砖 砂石 船舶 航空部件 轨道交通设备 半导体 "
        "集成电路 显示器件 电池材料 充电设备 光伏 风电设备 水电开发 热力"
    ).split()
)
FORMS = {
    "有限公司": 74, "有限责任公司": 12, "股份有限公司": 3, "集团有限公司": 1, "厂": 4, "经营部": 2, "合作社": 1, "加工厂": 1, "(普通合伙)": 0.5,
    "中心": 0.5, "总公司": 0.5, "农民专业合作社": 0.5,
}  # fmt: skip
WRONG = (
    "们他她这那里面上下左右前后说看听走跑打开关门口手足头心目耳鼻舌身体会能可以应该必"
    "须要想问答写读书画歌舞戏剧院校园室内外国家乡村镇县城市区街道路桥"
)
"""Characters that take another's place in a slip."""


@dataclass(frozen=True, slots=True)
class Words:
    """What enterprises are invented of.

    Attributes
    ----------
    places : dict
        First two digits of a division → the province and places in it, as they stand in names.
    home : dict
        How often a province is drawn; 1 where not named.
    brand : str
        The characters of brands.
    trades : tuple of str
    forms : dict
        Legal forms, and how often each is drawn.
    wrong : str
        Characters that take another's place in a slip.
    """

    places: dict[str, str]
    home: dict[str, int]
    brand: str
    trades: tuple[str, ...]
    forms: dict[str, float]
    wrong: str


USUAL = Words(PROVINCES, HOME, BRAND, TRADES, FORMS, WRONG)
"""The words search was written with; :mod:`benchmarks.held_out` has others."""


@dataclass(frozen=True, slots=True)
class Enterprise:
    """One enterprise and what its name was made of."""

    uscc: str
    name: str
    former: str
    province: str
    region: str
    brand: str
    trade: str
    form: str
    division: str

    @property
    def stem(self) -> str:
        """Its name without the form."""
        return self.name.removesuffix(self.form)


def enterprises(number: int, seed: int = 20261123, words: Words = USUAL) -> Iterator[Enterprise]:
    """Invent so many enterprises; no two bear one name."""
    draw = random.Random(seed)
    places = [
        (code, province, place)
        for code, line in words.places.items()
        for province, _, rest in [line.partition(":")]
        for place in (province, *rest.split())
        for _ in range(words.home.get(code, 1))
    ]
    forms = draw.choices(list(words.forms), list(words.forms.values()), k=number)
    used: set[str] = set()
    for form, code in zip(forms, _codes(number, draw), strict=True):
        while True:
            first, province, region = draw.choice(places)
            brand = "".join(draw.choices(words.brand, k=draw.choices((2, 3, 4), (75, 17, 8))[0]))
            trade = draw.choice(words.trades)
            name = _composed(draw, province, region, brand, trade, form)
            if name not in used:
                break
        used.add(name)
        division = f"{first}{draw.randint(1, 20):02d}{draw.randint(1, 30):02d}"
        uscc = _checked("91" + division + code)
        former = f"{region}{''.join(draw.choices(words.brand, k=2))}{trade}{form}" if draw.random() < 0.03 else ""
        yield Enterprise(uscc, name, former, province, region, brand, trade, form, division)


def _composed(draw: random.Random, province: str, region: str, brand: str, trade: str, form: str) -> str:
    way = draw.random()
    town = f"{region}市" if draw.random() < 0.25 and len(region) == 2 and region != province else region
    if way < 0.8:
        return f"{town}{brand}{trade}{form}"
    if way < 0.88:
        return f"{brand}{trade}({region}){form}"
    if way < 0.93 and region != province:
        return f"{province}{region}{brand}{trade}{form}"
    if way < 0.97:
        return f"{brand}({region}){trade}{form}"
    return f"{brand}{trade}{form}"


def _codes(number: int, draw: random.Random) -> Iterator[str]:
    for _ in range(number):
        yield "MA" + "".join(draw.choices("0123456789ABCDEFGHJKLMNPQRTUWXY", k=7))


@lru_cache(maxsize=1)
def _weights() -> tuple[int, ...]:
    return tuple(pow(3, place, 31) for place in range(17))


def _checked(body: str) -> str:
    total = sum(USCC_ALPHABET.index(character) * weight for character, weight in zip(body, _weights(), strict=True))
    return body + USCC_ALPHABET[(31 - total % 31) % 31]


# -- slips ----------------------------------------------------------------------------------------------------------


def _one_wrong(one: Enterprise, draw: random.Random, wrong: str) -> str:
    stem = one.stem
    place = draw.choice([number for number, character in enumerate(stem) if character not in "()"])
    return stem[:place] + draw.choice(wrong) + stem[place + 1 :] + one.form


def _one_missing(one: Enterprise, draw: random.Random, wrong: str) -> str:
    stem = one.stem
    place = draw.choice([number for number, character in enumerate(stem) if character not in "()"])
    return stem[:place] + stem[place + 1 :] + one.form


def _swapped(one: Enterprise, draw: random.Random, wrong: str) -> str:
    place = one.region if one.region in one.name else one.province
    if draw.random() < 0.5:
        return f"{one.brand}{one.trade}（{place}）{one.form}"
    return f"{one.brand}（{place}）{one.trade}{one.form}"


def _wrong_brand(one: Enterprise, draw: random.Random, wrong: str) -> str:
    place = draw.randrange(len(one.brand))
    brand = one.brand[:place] + draw.choice(wrong) + one.brand[place + 1 :]
    return one.name.replace(one.brand, brand, 1)


def _traditional(one: Enterprise, draw: random.Random, wrong: str) -> str:
    return _to_traditional().convert(one.name)


@lru_cache(maxsize=1)
def _to_traditional() -> OpenCC:
    return OpenCC("s2t")


def _sound(one: Enterprise) -> list[str]:
    return lazy_pinyin(one.stem.replace("(", "").replace(")", ""), v_to_u=False)


SLIPS: dict[str, Callable[[Enterprise, random.Random, str], str]] = {
    "no suffix": lambda one, draw, wrong: one.stem,
    "one typo": _one_wrong,
    "one missing": _one_missing,
    "swapped, brackets": _swapped,
    "brand + industry": lambda one, draw, wrong: one.brand + one.trade,
    "traditional": _traditional,
    "full pinyin": lambda one, draw, wrong: "".join(_sound(one)),
    "initials": lambda one, draw, wrong: "".join(sound[0] for sound in _sound(one)),
    "typo in 2-char brand": _wrong_brand,
}
SOUNDING = ("full pinyin", "initials")


def slips(chosen: list[Enterprise], kind: str, seed: int, words: Words = USUAL) -> list[tuple[str, Enterprise]]:
    """Get the names of enterprises wrong in one way; brackets only where that is the way."""
    draw = random.Random(f"{seed} {kind}")
    fit = [one for one in chosen if len(one.brand) == 2] if kind.startswith("typo in") else chosen
    made = [(SLIPS[kind](one, draw, words.wrong), one) for one in fit]
    return [(text, one) for text, one in made if text != one.name or kind == "traditional"]


def percentile(seconds: list[float], part: float) -> float:
    """Give a percentile of times, in milliseconds."""
    return float(np.percentile(np.asarray(seconds) * 1000, part))
