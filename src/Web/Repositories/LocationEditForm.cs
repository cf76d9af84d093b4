using BackupDr.Contracts.Api;

namespace BackupDr.Web.Repositories;

/// <summary>What the form that changes a location posts.</summary>
public sealed class LocationEditForm
{
    public string? Name { get; set; }
    public string? Address { get; set; }
    public string? Options { get; set; }
    public string? AuthorityPem { get; set; }
    public string? Bandwidth { get; set; }
    public string? Quota { get; set; }
    public bool SkipTest { get; set; }

    /// <summary>What it asks for.</summary>
    public EditLocationRequest Request(Location location) => new()
    {
        Id = location.Id,
        Name = Name?.Trim() ?? "",
        Address = location.Path is null ? Address?.Trim() : null,
        Options = OptionLines(Options),
        AuthorityPem = location.Path is null ? AuthorityPem : null,
        Bandwidth = Bandwidth,
        QuotaBytes = location.Kind == LocationKind.Gateway ? QuotaText.Bytes(Quota) : null,
        SkipTest = SkipTest,
    };

    /// <summary>Options as people write them, one a line.</summary>
    public static string[] OptionLines(string? text)
        => text?.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) ?? [];
}
