"""Addresses of the REST API, mounted at api/v1/, and its description."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.http import Http404
from django.urls import path, re_path
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from annotator.adjudication import api as adjudication
from annotator.browse import api as browse
from annotator.browse import notice_api as notices
from annotator.browse import round_api, stream_api
from annotator.builds import api as builds
from annotator.exchange import api as exchange
from annotator.projects import api as projects
from annotator.quality import api as quality
from annotator.review import api as review
from annotator.routing import api as routing
from annotator.suggestions import api as suggestions
from annotator.training import api as training
from annotator.training import comparison_api as comparisons
from annotator.training import registry_api as models
from annotator.web.api import ApiView, operation

app_name = "api"


class Description(ApiView):
    @operation("description_get", answers={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """This API as an OpenAPI document."""
        return Response(_description())


@extend_schema(exclude=True)
class Nothing(ApiView):
    """Every other address: a problem that a program can read, and no redirect."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        raise Http404


@cache
def _description() -> dict[str, Any]:
    return SchemaGenerator().get_schema(request=None, public=True)


_PROJECT = "projects/<id:project_id>/"
_ADJUDICATION = f"{_PROJECT}adjudications/<id:adjudication_id>/"
urlpatterns = [
    path("schema/", Description.as_view(), name="schema"),
    path("notices/", notices.Notices.as_view(), name="notices"),
    path("notices/<id:notice_id>/read/", notices.NoticeRead.as_view(), name="notice_read"),
    path("projects/", projects.Projects.as_view(), name="projects"),
    path(_PROJECT, projects.Project.as_view(), name="project"),
    path(f"{_PROJECT}members/", projects.Members.as_view(), name="members"),
    path(f"{_PROJECT}schema/", projects.Schema.as_view(), name="project_schema"),
    path(f"{_PROJECT}streams/", stream_api.Streams.as_view(), name="streams"),
    path(f"{_PROJECT}documents/", browse.Documents.as_view(), name="documents"),
    path(f"{_PROJECT}documents/<id:document_id>/", browse.Document.as_view(), name="document"),
    path(f"{_PROJECT}imports/", exchange.Imports.as_view(), name="imports"),
    path(f"{_PROJECT}imports/<id:import_id>/", exchange.ImportDetail.as_view(), name="import"),
    path(f"{_PROJECT}imports/<id:import_id>/preview/", exchange.ImportPreview.as_view(), name="import_preview"),
    path(f"{_PROJECT}imports/<id:import_id>/start/", exchange.ImportStart.as_view(), name="import_start"),
    path(f"{_PROJECT}imports/<id:import_id>/cancel/", exchange.ImportCancel.as_view(), name="import_cancel"),
    path(f"{_PROJECT}runs/", suggestions.Runs.as_view(), name="runs"),
    path(f"{_PROJECT}runs/identifiers/", suggestions.Identifiers.as_view(), name="identifiers"),
    path(f"{_PROJECT}runs/<id:run_id>/", suggestions.Run.as_view(), name="run"),
    path(f"{_PROJECT}runs/<id:run_id>/cancel/", suggestions.RunCancel.as_view(), name="run_cancel"),
    path(f"{_PROJECT}runs/<id:run_id>/retry/", suggestions.RunRetry.as_view(), name="run_retry"),
    path(f"{_PROJECT}suggestions/", browse.Suggestions.as_view(), name="suggestions"),
    path(f"{_PROJECT}annotations/", browse.Annotations.as_view(), name="annotations"),
    path(f"{_PROJECT}relations/", browse.Relations.as_view(), name="relations"),
    path(f"{_PROJECT}document-labels/", browse.DocumentValues.as_view(), name="document_labels"),
    path(f"{_PROJECT}decisions/", browse.Decisions.as_view(), name="decisions"),
    path(f"{_PROJECT}comments/", browse.Comments.as_view(), name="comments"),
    path(f"{_PROJECT}review/", review.ReviewItems.as_view(), name="review"),
    path(f"{_PROJECT}review/next/", review.ReviewNext.as_view(), name="review_next"),
    path(f"{_PROJECT}review/take/", review.ReviewTake.as_view(), name="review_take"),
    path(f"{_PROJECT}review/<id:item_id>/", review.ReviewNote.as_view(), name="review_note"),
    path(f"{_PROJECT}review/<id:item_id>/renew/", review.ReviewRenew.as_view(), name="review_renew"),
    path(f"{_PROJECT}review/<id:item_id>/put-back/", review.ReviewPutBack.as_view(), name="review_put_back"),
    path(f"{_PROJECT}review/<id:item_id>/hand-back/", review.ReviewHandBack.as_view(), name="review_hand_back"),
    path(f"{_PROJECT}review/<id:item_id>/take-back/", review.ReviewTakeBack.as_view(), name="review_take_back"),
    path(f"{_PROJECT}review/<id:item_id>/decisions/", review.ReviewDecide.as_view(), name="review_decide"),
    path(f"{_PROJECT}review/<id:item_id>/comments/", review.HeldComments.as_view(), name="review_comments"),
    path(
        f"{_PROJECT}review/<id:item_id>/comments/<id:comment_id>/",
        review.HeldComment.as_view(),
        name="review_comment",
    ),
    path(f"{_PROJECT}adjudications/", adjudication.Adjudications.as_view(), name="adjudications"),
    path(f"{_PROJECT}adjudications/next/", adjudication.AdjudicationNext.as_view(), name="adjudication_next"),
    path(_ADJUDICATION, adjudication.AdjudicationNote.as_view(), name="adjudication"),
    path(f"{_ADJUDICATION}take/", adjudication.AdjudicationTake.as_view(), name="adjudication_take"),
    path(f"{_ADJUDICATION}renew/", adjudication.AdjudicationRenew.as_view(), name="adjudication_renew"),
    path(f"{_ADJUDICATION}put-back/", adjudication.AdjudicationPutBack.as_view(), name="adjudication_put_back"),
    path(f"{_ADJUDICATION}choices/", adjudication.AdjudicationChoose.as_view(), name="adjudication_choose"),
    path(f"{_ADJUDICATION}finish/", adjudication.AdjudicationFinish.as_view(), name="adjudication_finish"),
    path(f"{_ADJUDICATION}reopen/", adjudication.AdjudicationReopen.as_view(), name="adjudication_reopen"),
    path(f"{_PROJECT}rounds/", round_api.Rounds.as_view(), name="rounds"),
    path(f"{_PROJECT}rounds/<id:round_id>/", round_api.Round.as_view(), name="round"),
    path(f"{_PROJECT}agreement/", quality.Agreement.as_view(), name="agreement"),
    path(f"{_PROJECT}recall/", quality.Recall.as_view(), name="recall"),
    path(f"{_PROJECT}effort/", quality.Effort.as_view(), name="effort"),
    path(f"{_PROJECT}trust/", routing.Trust.as_view(), name="trust"),
    path(f"{_PROJECT}trust/targets/", routing.Targets.as_view(), name="targets"),
    path(
        f"{_PROJECT}certificates/<id:certificate_id>/revoke/",
        routing.CertificateRevoke.as_view(),
        name="certificate_revoke",
    ),
    path(f"{_PROJECT}builds/", builds.Builds.as_view(), name="builds"),
    path(f"{_PROJECT}builds/<id:build_id>/", builds.Build.as_view(), name="build"),
    path(f"{_PROJECT}builds/<id:build_id>/cancel/", builds.BuildCancel.as_view(), name="build_cancel"),
    path(f"{_PROJECT}builds/<id:build_id>/resume/", builds.BuildResume.as_view(), name="build_resume"),
    path(f"{_PROJECT}builds/<id:build_id>/verify/", builds.BuildVerify.as_view(), name="build_verify"),
    path(f"{_PROJECT}builds/<id:build_id>/compare/", builds.BuildCompare.as_view(), name="build_compare"),
    path(f"{_PROJECT}models/", models.Models.as_view(), name="models"),
    path(f"{_PROJECT}models/<id:model_id>/", models.Model.as_view(), name="model"),
    path(f"{_PROJECT}models/<id:model_id>/promote/", models.ModelPromote.as_view(), name="model_promote"),
    path(f"{_PROJECT}test-set/", builds.TestSet.as_view(), name="test_set"),
    path(f"{_PROJECT}builds/<id:build_id>/files/<str:name>/", builds.BuildFile.as_view(), name="build_file"),
    path(f"{_PROJECT}trainings/", training.Trainings.as_view(), name="trainings"),
    path(f"{_PROJECT}trainings/<id:training_id>/", training.Training.as_view(), name="training"),
    path(f"{_PROJECT}trainings/<id:training_id>/cancel/", training.TrainingCancel.as_view(), name="training_cancel"),
    path(f"{_PROJECT}trainings/<id:training_id>/resume/", training.TrainingResume.as_view(), name="training_resume"),
    path(f"{_PROJECT}trainings/<id:training_id>/log/", training.TrainingLog.as_view(), name="training_log"),
    path(f"{_PROJECT}comparisons/", comparisons.Comparisons.as_view(), name="comparisons"),
    path(f"{_PROJECT}comparisons/<id:comparison_id>/", comparisons.Comparison.as_view(), name="comparison"),
    path(
        f"{_PROJECT}comparisons/<id:comparison_id>/cancel/",
        comparisons.ComparisonCancel.as_view(),
        name="comparison_cancel",
    ),
    re_path("", Nothing.as_view(), name="nothing"),
]
