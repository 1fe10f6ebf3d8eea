from django.urls import path

from annotator.review import comment_views, round_views, span_views, views

app_name = "review"
urlpatterns = [
    path("", views.start, name="start"),
    path("next/", views.take_next, name="next"),
    path("spans/next/", span_views.take_next, name="next_span"),
    path("take/<str:document_id>/", views.take, name="take"),
    path("rounds/<str:round_id>/", round_views.yours, name="round"),
    path("<str:item_id>/", views.note, name="note"),
    path("<str:item_id>/new-span/", views.new_span, name="new_span"),
    path("<str:item_id>/decide/", views.decide, name="decide"),
    path("<str:item_id>/renew/", views.renew, name="renew"),
    path("<str:item_id>/put-back/", views.put_back, name="put_back"),
    path("<str:item_id>/hand-back/", round_views.hand_back, name="hand_back"),
    path("<str:item_id>/take-back/", round_views.take_back, name="take_back"),
    path("<str:item_id>/comments/", comment_views.add, name="comment"),
    path("<str:item_id>/comments/<str:comment_id>/", comment_views.remove, name="remove_comment"),
]
