using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Web.Repositories;

/// <summary>Locations in words.</summary>
static class LocationText
{
    public static string Of(LocationKind kind) => kind switch
    {
        LocationKind.Folder => "Folder",
        LocationKind.Gateway => "Gateway",
        LocationKind.S3 => "S3",
        LocationKind.Azure => "Azure Blob",
        LocationKind.Rest => "REST server",
        _ => kind.ToString(),
    };

    /// <summary>What the kind means for whoever chooses it.</summary>
    public static string Meaning(LocationKind kind) => kind switch
    {
        LocationKind.Folder => "A folder belongs to one machine; only that machine's agent opens it.",
        LocationKind.Gateway => "A folder of the nodes, which serve it to agents: they add to it and delete nothing.",
        LocationKind.S3 => "A bucket of any server with the S3 protocol. Each agent goes there itself, with the credentials below.",
        LocationKind.Azure => "A container of Azure Blob storage. Each agent goes there itself, with the credentials below.",
        _ => "",
    };

    /// <summary>Authorities by name, each with its last day.</summary>
    public static IEnumerable<string> Authorities(string pem)
        => Storage.Http.Authorities.Parse("authority", pem).Select(one => string.Create(CultureInfo.InvariantCulture,
            $"{Storage.Http.Authorities.Name(one)}, until {one.NotAfter.ToUniversalTime():yyyy-MM-dd}"));

    public static string Of(ProbedAbility ability) => ability switch
    {
        ProbedAbility.Write => "Write",
        ProbedAbility.Read => "Read back",
        ProbedAbility.List => "List",
        ProbedAbility.NoOverwrite => "Refuse to overwrite",
        ProbedAbility.OneWinner => "One of two writers wins",
        ProbedAbility.Delete => "Delete",
        ProbedAbility.ObjectLock => "Object lock",
        ProbedAbility.Versions => "Keep older versions",
        ProbedAbility.StorageClasses => "Storage classes",
        ProbedAbility.Clock => "Clock",
        ProbedAbility.Speed => "Speed",
        ProbedAbility.CleanUp => "Cleaned up",
        _ => ability.ToString(),
    };
}
