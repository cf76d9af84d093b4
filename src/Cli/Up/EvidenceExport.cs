using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;

namespace BackupDr.Cli.Up;

/// <summary>Brings a node's evidence into a file, and reads such files.</summary>
static class EvidenceExport
{
    const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Writes it whole, or not at all: a broken connection leaves the older file.</summary>
    /// <returns>What the file is, read back from the disk.</returns>
    /// <exception cref="BackupDrException">The node does not answer, or the file cannot be written.</exception>
    public static async Task<EvidenceVerdict> Write(ApiClient api, ExportEvidenceRequest request, string file, CancellationToken ct)
    {
        var temporary = file + ".part";
        try
        {
            await using (var into = new FileStream(temporary, new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = Private,
            })) await api.ExportEvidence(request, into, ct);
            File.Move(temporary, file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("file", $"The evidence cannot be written to {file}: {e.Message}",
                "Check the rights and the free space of its folder.");
        }
        return await Read(file, ct);
    }

    /// <summary>Verifies a file.</summary>
    /// <exception cref="BadInputException">It cannot be read.</exception>
    public static async Task<EvidenceVerdict> Read(string file, CancellationToken ct)
    {
        try
        {
            await using var opened = File.OpenRead(file);
            return await EvidenceCheck.Run(opened, ct);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("file", $"{file} cannot be read: {e.Message}", "Name an export of evidence.");
        }
    }
}
