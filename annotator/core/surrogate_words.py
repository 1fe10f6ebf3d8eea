"""The words that surrogates are made of, written for this project.

Family names and towns are put together from two halves: there are many of them, few are anybody's, and which one stands
for what does not change with a package. A change to any list changes the surrogates that a key gives.
"""

from __future__ import annotations

_FEMALE = """
Abigail Ada Agnes Alice Amanda Amelia Amy Andrea Angela Anita Anna Anne Audrey Barbara Beatrice Bella Bethany Brenda
Bridget Carla Carmen Caroline Catherine Cecilia Celia Charlotte Chloe Christina Clara Claire Claudia Cora Cynthia
Daisy Daphne Deborah Denise Diana Donna Doris Dorothy Edith Eileen Elaine Eleanor Elena Elizabeth Ella Ellen Emily
Emma Erica Esther Eva Evelyn Faye Fiona Florence Frances Gemma Georgia Gillian Gloria Grace Greta Hannah Harriet
Hazel Heather Helen Hilary Holly Ida Ingrid Irene Iris Isabel Ivy Jane Janet Jean Jennifer Jessica Joan Joanna Josie
Joyce Judith Julia June Karen Kate Katherine Laura Lena Leah Lillian Linda Lisa Lois Louise Lucy Lydia Mabel
Margaret Maria Marian Marjorie Martha Mary Matilda Maureen Maya Melissa Mildred Miriam Molly Monica Nadia Nancy
Naomi Natalie Nina Nora Norma Olive Olivia Pamela Patricia Paula Pauline Penelope Phoebe Phyllis Priscilla Rachel
Rebecca Rita Roberta Rosalind Rosemary Ruth Sally Sandra Sarah Sheila Shirley Sonia Sophie Stella Susan Sylvia
Teresa Thelma Una Ursula Valerie Vera Veronica Victoria Viola Violet Vivian Wanda Wendy Winifred Yvonne Zoe
"""
_MALE = """
Aaron Adam Adrian Alan Albert Alec Alfred Allan Andrew Anthony Arnold Arthur Barry Basil Benedict Benjamin Bernard
Brian Bruce Byron Calvin Cecil Charles Christopher Clement Clifford Clive Colin Conrad Craig Cyril Daniel David
Dennis Derek Desmond Dominic Donald Douglas Duncan Edgar Edmund Edward Edwin Elliot Eric Ernest Eugene Felix
Francis Frank Frederick Gareth Geoffrey George Gerald Gilbert Gordon Graham Gregory Harold Harry Harvey Hector
Henry Herbert Howard Hubert Hugh Ian Isaac Ivan Jack Jacob James Jasper Jeremy Jerome Joel John Jonathan Joseph
Joshua Julian Keith Kenneth Kevin Laurence Leo Leonard Leslie Lewis Lionel Louis Luke Malcolm Marcus Martin Matthew
Maurice Max Michael Miles Nathan Neil Nicholas Nigel Noel Norman Oliver Oscar Owen Patrick Paul Percy Peter Philip
Quentin Ralph Raymond Reginald Richard Robert Roger Roland Ronald Rory Rupert Samuel Sebastian Sidney Simon Stanley
Stephen Stewart Terence Theodore Thomas Timothy Tobias Trevor Victor Vincent Walter Warren Wilfred William Xavier
"""
_FAMILY = (
    "Ald Amber Arrow Ashen Barne Beck Birk Blake Brack Bram Brind Calder Carn Chal Clare Cor Crabb Dal Den Dray Dun "
    "Eld Elms Fair Fenn Garr Gray Hal Harg Hather Hol Ivel Kel Kirk Lang Lin Lock Mar Mere Nether Nor Oak Pel Pen Quar "
    "Rad Rams Red Sel Stan Tarn Thorn Und Wake Wald Wel Whit Win Wyn Yar",
    "bridge bury by combe croft dale den field ford gate grove ham hurst land ley low man mere mond more ridge shaw "
    "side stock ton wall ward well wick wood worth",
)
_TOWNS = (
    "Abber Ambel Aven Bexen Brae Brom Caster Chil Coln Cray Dorn Eaves Ebbs Farn Fell Gander Glen Hart Hazel Hex Ket "
    "Lam Leng Lyth Mal Mel Nant Nor Orms Pen Priest Quen Rother Saxen Shel Sker Temb Tud Ulver Wadden Wey Whar Yaxen",
    "borough bourne cester church cliffe firth haven holme hope keld march mouth pool port reach rigg stead sted "
    "thorpe thwaite vale wich",
)
_STREETS = (
    "Acorn Alder Aspen Bluebell Bracken Bramble Cedar Cherry Clover Elder Fern Foxglove Hawthorn Heather Heron Juniper "
    "Kestrel Larch Lark Laurel Lilac Linnet Maple Meadow Mulberry Orchard Pine Plover Poplar Rowan Sorrel Spruce "
    "Swallow Sycamore Thistle Tulip Willow Wren Yarrow"
)


def word_set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _joined(halves: tuple[str, str]) -> tuple[str, ...]:
    return tuple(first + second for first in halves[0].split() for second in halves[1].split())


FEMALE = tuple(_FEMALE.split())
MALE = tuple(_MALE.split())
FAMILY = _joined(_FAMILY)
TOWNS = _joined(_TOWNS)
STREETS = tuple(_STREETS.split())
