namespace BackupDr.Contracts.Api;

/// <summary>POST support-bundle: writes what somebody who helps needs to see. Audited.</summary>
public sealed record WriteSupportBundleRequest;

/// <summary>A ZIP archive.</summary>
/// <param name="FileName">For the file, for example "backupdr-support-20261122-101500.zip".</param>
/// <param name="Content">Its bytes.</param>
public sealed record SupportBundle(string FileName, byte[] Content);
