"""Index of the tables; each lives in its domain."""

from annotator.accounts.models import ApiToken, BrowserSession, SignInFailure, SignInLink, User
from annotator.adjudication.models import Choice, Gold, RuleRun
from annotator.annotations.models import Annotation, AnnotationSet, Comment, DocumentValue, Relation
from annotator.audit.models import AuditChain, AuditEvent
from annotator.builds.models import DatasetBuild, LockedGroup, LockedTestSet
from annotator.certificates.models import (
    AcceptanceTarget,
    Batch,
    BatchMember,
    Calibrator,
    CalibratorCase,
    Certificate,
    FitWish,
    Region,
    WatchedSuggestion,
)
from annotator.documents.models import Document
from annotator.exchange.models import Import, ImportedReading
from annotator.jobs.models import Job, WorkerBeat
from annotator.notices.models import Notice
from annotator.progress.models import CountedProject, LabelDay, WorkDay
from annotator.projects.models import Guideline, Invitation, Membership, Project, SchemaVersion
from annotator.purges.models import Tombstone
from annotator.qualification.models import Admission, Qualification, ReferenceNote, Trial, TrialNote
from annotator.quality.models import AgreementReport
from annotator.readings.models import Adjudication, Comparison, Difference, ReaderPair, TokenRatings
from annotator.review.models import (
    Barred,
    Decision,
    Decoy,
    DecoyAnswer,
    ReviewItem,
    Round,
    RoundJob,
    RoundReader,
    SecondRead,
)
from annotator.suggestions.models import (
    Candidate,
    ExamplePool,
    Labeler,
    LabelJob,
    LabelRun,
    PoolWish,
    Promotion,
    PromptExample,
    ServerPermission,
    Suggestion,
)
from annotator.training.models import ComparedSpan, LabelerComparison, TrainingPoint, TrainingRun

__all__ = [
    "AcceptanceTarget",
    "Adjudication",
    "Admission",
    "AgreementReport",
    "Annotation",
    "AnnotationSet",
    "ApiToken",
    "AuditChain",
    "AuditEvent",
    "Barred",
    "Batch",
    "BatchMember",
    "BrowserSession",
    "Calibrator",
    "CalibratorCase",
    "Candidate",
    "Certificate",
    "Choice",
    "Comment",
    "ComparedSpan",
    "Comparison",
    "CountedProject",
    "DatasetBuild",
    "Decision",
    "Decoy",
    "DecoyAnswer",
    "Difference",
    "Document",
    "DocumentValue",
    "ExamplePool",
    "FitWish",
    "Gold",
    "Guideline",
    "Import",
    "ImportedReading",
    "Invitation",
    "Job",
    "LabelDay",
    "LabelJob",
    "LabelRun",
    "Labeler",
    "LabelerComparison",
    "LockedGroup",
    "LockedTestSet",
    "Membership",
    "Notice",
    "PoolWish",
    "Project",
    "Promotion",
    "PromptExample",
    "Qualification",
    "ReaderPair",
    "ReferenceNote",
    "Region",
    "Relation",
    "ReviewItem",
    "Round",
    "RoundJob",
    "RoundReader",
    "RuleRun",
    "SchemaVersion",
    "SecondRead",
    "ServerPermission",
    "SignInFailure",
    "SignInLink",
    "Suggestion",
    "TokenRatings",
    "Tombstone",
    "TrainingPoint",
    "TrainingRun",
    "Trial",
    "TrialNote",
    "User",
    "WatchedSuggestion",
    "WorkDay",
    "WorkerBeat",
]
