using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Secrets;
using BackupDr.Storage;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Checks, seals and opens the credentials of object stores.</summary>
public sealed class LocationSecrets(SealedSecrets secrets)
{
    const string Table = "location", Column = "credentials";

    /// <summary>For the column credentials_sealed; null stays null.</summary>
    internal async Task<byte[]?> Seal(Transaction tx, LocationId location, StoreCredentials? credentials, CancellationToken ct)
        => credentials is null ? null : (await secrets.InUse(tx, ct)).Seal(Table, location.ToString(), Column,
            JsonSerializer.SerializeToUtf8Bytes(credentials, WireJson.Default.StoreCredentials));

    /// <summary>What was sealed, or null where there are none.</summary>
    /// <exception cref="ConflictException">They do not open.</exception>
    internal StoreCredentials? Open(LocationId location, byte[]? sealedBytes) => sealedBytes is null ? null
        : JsonSerializer.Deserialize(secrets.Open(Table, location.ToString(), Column, sealedBytes), WireJson.Default.StoreCredentials);

    /// <summary>A location with what opens it; null where the machine's own counts.</summary>
    /// <exception cref="NotFoundException">There is none with this id.</exception>
    internal async Task<(Location Location, StoreCredentials? Credentials)> Find(SqlSource db, LocationId id, CancellationToken ct)
    {
        var location = await db.First($"{ListLocations.Select} where l.id = $1", [id], ListLocations.Read, ct)
            ?? throw new NotFoundException("A location with this id");
        return (location, Open(id, await db.Scalar<byte[]>("select credentials_sealed from location where id = $1", [id], ct)));
    }

    /// <summary>The variables with which a store is opened, of a row with location_id, kind and credentials_sealed; null where the
    /// machine's own count.</summary>
    internal IReadOnlyDictionary<string, string>? Variables(Row row) => CredentialVariables.Of(row.Word<LocationKind>("kind"),
        Open(row.Id<LocationId>("location_id"), row.BytesOrNull("credentials_sealed")));

    /// <summary>Checks what the store itself would refuse before its first request.</summary>
    /// <exception cref="BadInputException">Options or credentials cannot be used.</exception>
    internal static async Task Check(LocationKind kind, string address, IReadOnlyList<string> options, StoreCredentials? credentials)
    {
        if (kind == LocationKind.Rest && options.Count > 0)
            throw new BadInputException("options", "A REST server has no options.", "Leave them out.");
        var family = kind == LocationKind.S3 ? "s3." : "azure.";
        if (options.FirstOrDefault(option => !option.StartsWith(family, StringComparison.Ordinal) || option.Any(char.IsControl)) is { } odd)
            throw new BadInputException("options", $"'{odd}' is no option of a location of the kind {kind}.",
                $"Write NAME=VALUE, for example {(kind == LocationKind.S3 ? "s3.region=eu-central-1" : "azure.access-tier=Cool")}.");
        if (options.FirstOrDefault(option => option.StartsWith("s3.retention-", StringComparison.Ordinal)) is { } retention)
            throw new BadInputException("options", $"'{retention}': object lock is a setting of the location, and no option.",
                "Say for how many days with 'lock'.");
        // Options are checked by the store, which wants an account for that where an agent's machine will have one.
        var variables = CredentialVariables.Of(kind, credentials)
            ?? new Dictionary<string, string> { ["AZURE_ACCOUNT_NAME"] = "none", ["AZURE_ACCOUNT_KEY"] = "AAAA" };
        try
        {
            await using var store = StoreFactory.Open(address,
                new StoreOptions(options) { Environment = name => variables.GetValueOrDefault(name) });
        }
        catch (BadInputException e) { throw new BadInputException(Field(e.Field), e.Message, e.Hint); }
    }

    static string Field(string field) => field == "repository" ? "address" : CredentialVariables.FieldOf(field) ?? "options";
}
