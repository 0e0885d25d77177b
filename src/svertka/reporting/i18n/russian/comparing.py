"""Runs compared and repeated."""

# ruff: noqa: E501
SENTENCES = {
    "{other} and {one} are right on the same of {n} pictures: no difference.": "{other} и {one} правы на одних и тех же изображениях (всего {n}): разницы нет.",
    "{other} is not shown to differ from {one}: it gains {gained} pictures and loses {lost} of {n} (p = {p:.2g}; {low:+.1f} to {high:+.1f} points).": "Не показано, что {other} отличается от {one}: выиграно {gained}, проиграно {lost} из {n} (p = {p:.2g}; от {low:+.1f} до {high:+.1f} п. п.).",
    "{other} is better than {one}: it gains {gained} pictures and loses {lost} of {n} (p = {p:.2g}; {low:+.1f} to {high:+.1f} points).": "{other} лучше, чем {one}: выиграно {gained}, проиграно {lost} из {n} (p = {p:.2g}; от {low:+.1f} до {high:+.1f} п. п.).",
    "{other} is better than {one}: it gains {gained} pictures and loses {lost} of {n} (p < 0.0001; {low:+.1f} to {high:+.1f} points).": "{other} лучше, чем {one}: выиграно {gained}, проиграно {lost} из {n} (p < 0,0001; от {low:+.1f} до {high:+.1f} п. п.).",
    "{other} is worse than {one}: it gains {gained} pictures and loses {lost} of {n} (p = {p:.2g}; {low:+.1f} to {high:+.1f} points).": "{other} хуже, чем {one}: выиграно {gained}, проиграно {lost} из {n} (p = {p:.2g}; от {low:+.1f} до {high:+.1f} п. п.).",
    "{other} is worse than {one}: it gains {gained} pictures and loses {lost} of {n} (p < 0.0001; {low:+.1f} to {high:+.1f} points).": "{other} хуже, чем {one}: выиграно {gained}, проиграно {lost} из {n} (p < 0,0001; от {low:+.1f} до {high:+.1f} п. п.).",
    "{n:# seed|# seeds}: right in {mean:.2f}% of the cases on average, from {least:.2f}% to {most:.2f}%, deviation {points:.2f} points; 95 % interval {low:.2f}% to {high:.2f}%.": "{n:# запуск|# запуска|# запусков} с разным случайным началом: в среднем верно {mean:.2f} %, от {least:.2f} % до {most:.2f} %, отклонение {points:.2f} п. п.; интервал 95 % от {low:.2f} % до {high:.2f} %.",
    "{n:# fold|# folds}: right in {mean:.2f}% of the cases on average, from {least:.2f}% to {most:.2f}%, deviation {points:.2f} points; 95 % interval {low:.2f}% to {high:.2f}%.": "{n:# часть|# части|# частей}: в среднем верно {mean:.2f} %, от {least:.2f} % до {most:.2f} %, отклонение {points:.2f} п. п.; интервал 95 % от {low:.2f} % до {high:.2f} %.",
    "{n:# seed|# seeds}: right in {mean:.2f}% of the cases on average; 95 % interval {low:.2f}% to {high:.2f}%.": "{n:# запуск|# запуска|# запусков}: в среднем верно {mean:.2f} %; интервал 95 % от {low:.2f} % до {high:.2f} %.",
    "{n:# fold|# folds}: right in {mean:.2f}% of the cases on average; 95 % interval {low:.2f}% to {high:.2f}%.": "{n:# часть|# части|# частей}: в среднем верно {mean:.2f} %; интервал 95 % от {low:.2f} % до {high:.2f} %.",
}
