"""A synthetic radiograph as a DICOM file, which says that it is synthetic and knows no patient."""

from __future__ import annotations

import io
import uuid
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian
from torch import Tensor

from radedit import __version__
from radedit.data.image.files import check_grey
from radedit.data.io.atomic import write_atomically

WHITE = 2**16 - 1
DETECTOR_MM = 430.0  # nominal side: where an image comes from, and how large it was, is not passed on
DAY = "20000101"  # nothing is dated, so that the same export gives the same bytes
WHAT = "Synthetic image written by radedit: edited, drawn or cropped, not a radiograph as taken. Not for clinical use."
SPACING = "Pixel spacing is nominal."
VIEWS = {"PA": ("272479007", "postero-anterior"), "AP": ("399348003", "antero-posterior")}  # SNOMED CT, CID 4010
IMPLEMENTATION = "2.25.210432716953867409126347985260143792817"  # of radedit, from a UUID


def new_uid(*words: str) -> str:
    """A DICOM UID from words (PS3.5 B.2): the same words, the same UID."""
    return f"2.25.{uuid.uuid5(uuid.NAMESPACE_URL, '/'.join(('radedit', *words))).int}"


def write_dicom(path: Path, image: Tensor, *, id_: str, uid: str, study_uid: str, view: str) -> None:
    """Write a Digital X-Ray image for presentation (PS3.3 A.26), 16 bits, bright is dense.

    Nothing is taken from the header of a source. Every image is a patient and a study of its own, so that no product
    takes one for an earlier image of another.

    Args:
        path: Where to write; its folder must exist.
        image: Grey levels in [0, 1], shape (1, H, W).
        id_: Patient ID, accession number and study ID.
        uid: SOP Instance UID; that of the series follows from it.
        study_uid: Study Instance UID.
        view: `PA` or `AP`.

    Raises:
        ValueError: If the image or the view is not as above.
    """
    check_grey(str(path), image)
    if view not in VIEWS:
        raise ValueError(f"view is {view!r}; allowed are {' and '.join(VIEWS)}.")
    levels = np.rint(image[0].detach().cpu().double().numpy() * WHITE).astype("<u2")
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.ImageType = ["DERIVED", "SECONDARY", "", "SYNTHETIC"]
    dataset.SOPClassUID, dataset.SOPInstanceUID = DigitalXRayImageStorageForPresentation, uid
    dataset.StudyDate = dataset.ContentDate = DAY
    dataset.StudyTime = dataset.ContentTime = "000000"
    dataset.AccessionNumber = dataset.StudyID = dataset.PatientID = id_
    dataset.Modality, dataset.PresentationIntentType = "DX", "FOR PRESENTATION"
    dataset.Manufacturer = dataset.ManufacturerModelName = "radedit"
    dataset.SoftwareVersions, dataset.DeviceSerialNumber = __version__, "0"
    dataset.ReferringPhysicianName = dataset.PatientBirthDate = dataset.PatientSex = dataset.AcquisitionDate = ""
    dataset.StudyDescription = dataset.SeriesDescription = "SYNTHETIC, not for clinical use"
    dataset.DerivationDescription = f"{WHAT} {SPACING}"
    dataset.AnatomicRegionSequence = Sequence([_code("816094009", "Chest")])
    dataset.ViewCodeSequence = Sequence([_code(*VIEWS[view])])
    dataset.PatientName = f"SYNTHETIC^{id_}"
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = "No header was taken over"
    dataset.BodyPartExamined, dataset.ViewPosition, dataset.ImageLaterality = "CHEST", view, "U"
    dataset.DetectorType = dataset.PositionerType = ""
    height, width = levels.shape
    spacing = f"{DETECTOR_MM / height:.6f}"
    dataset.ImagerPixelSpacing = [spacing, spacing]
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study_uid, new_uid(uid, "series")
    dataset.SeriesNumber = dataset.InstanceNumber = "1"
    dataset.PatientOrientation = ["L", "F"]  # the patient's left is the image's right
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = height, width
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 0
    dataset.QualityControlImage, dataset.BurnedInAnnotation = "YES", "NO"
    dataset.PixelIntensityRelationship, dataset.PixelIntensityRelationshipSign = "LOG", -1
    dataset.WindowCenter, dataset.WindowWidth = "32768", "65536"  # all levels, as they are (PS3.3 C.11.2.1.2)
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    dataset.LossyImageCompression, dataset.PresentationLUTShape = "00", "IDENTITY"
    dataset.AcquisitionContextSequence = Sequence([])
    dataset.PixelData = levels.tobytes()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.ImplementationClassUID = UID(IMPLEMENTATION)
    dataset.file_meta.ImplementationVersionName = "RADEDIT"
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    write_atomically(path, buffer.getvalue())


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "SCT", meaning
    return code
