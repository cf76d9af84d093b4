using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Calendar;
using BackupDr.Storage;
using BackupDr.Storage.Azure;
using BackupDr.Storage.Http;
using BackupDr.Storage.Rest;
using BackupDr.Storage.S3;

namespace BackupDr.Scheduler.Repositories;

/// <summary>Where a new location is, checked and in the one form in which it is kept: a folder's path, or an object store's
/// address.</summary>
sealed record LocationPlace(FilePath? Path, string? Address, string[] Options, string? AuthorityPem = null,
    string? Bandwidth = null)
{
    const long SmallestQuota = 1 << 20;
    const int LongestAddress = 1000, MostOptions = 20;

    /// <summary>As people see it.</summary>
    public string Text => Address ?? Path!.Value.ToString();

    /// <exception cref="BadInputException">A part is missing, wrong, or belongs to another kind of location.</exception>
    public static async Task<LocationPlace> Of(CreateLocationRequest request)
    {
        CheckQuota(request);
        LocationRules.Check(request.Kind, request.Lock, request.Tier);
        if (request.Kind is LocationKind.S3 or LocationKind.Azure or LocationKind.Rest) return await ObjectStore(request);
        if (request.Path is not { } path) throw new BadInputException("path", "The folder is missing.", "For example /srv/backups");
        if (request.Address is not null || request.Options.Count > 0 || request.Credentials is not null || request.AuthorityPem is not null)
            throw new BadInputException(request.Address is not null ? "address" : request.Options.Count > 0 ? "options"
                : request.Credentials is not null ? "credentials" : "authority",
                $"A location of the kind {request.Kind} is a folder, and nothing more.", "Leave it out.");
        if (request.Kind == LocationKind.Gateway && request.Host is not null)
            throw new BadInputException("host", "A gateway's folder is on the nodes, not on a host.", "Leave the host out.");
        return new LocationPlace(Clean(path), null, [], Bandwidth: Limits(request));
    }

    static async Task<LocationPlace> ObjectStore(CreateLocationRequest request)
    {
        if (request.Path is not null)
            throw new BadInputException("path", $"A location of the kind {request.Kind} has an address, not a folder.", "Leave it out.");
        if (request.Host is not null)
            throw new BadInputException("host", "An object store is on no host: each host's agent goes there itself.",
                "Leave the host out.");
        if (request.Address is not { Length: > 0 and <= LongestAddress } given || given.Any(char.IsControl))
            throw new BadInputException("address", $"The address has 1 to {LongestAddress} characters.", Form(request.Kind));
        var address = Parsed(request.Kind, given.Trim());
        string[] options = [.. request.Options.Select(option => option.Trim()).Where(option => option.Length > 0)];
        if (options.Length > MostOptions) throw new BadInputException("options", $"There are more than {MostOptions} options.",
            "Give each one once.");
        await LocationSecrets.Check(request.Kind, address, options, request.Credentials);
        return new LocationPlace(null, address, options, Authority(address, request.AuthorityPem), Limits(request));
    }

    static string? Limits(CreateLocationRequest request)
    {
        if (string.IsNullOrWhiteSpace(request.Bandwidth)) return null;
        if (request.Kind == LocationKind.Folder)
            throw new BadInputException("bandwidth", "Nothing goes over a network to a folder.", "Leave it out.");
        return BandwidthSchedule.Parse(request.Bandwidth) is { IsUnlimited: false } schedule ? schedule.ToString() : null;
    }

    static string? Authority(string address, string? pem)
    {
        if (string.IsNullOrWhiteSpace(pem)) return null;
        if (address.Contains(":http://", StringComparison.Ordinal))
            throw new BadInputException("authority", "A server at http:// shows no certificate.", "Write https://, or leave it out.");
        return Authorities.Text(Authorities.Parse("authority", pem));
    }

    static string Parsed(LocationKind kind, string address)
    {
        try
        {
            return kind switch
            {
                LocationKind.S3 => S3Address.Parse(address).ToString(),
                LocationKind.Azure => AzureAddress.Parse(address).ToString(),
                _ => WithoutUser(RestAddress.Parse(address, new StoreOptions { Environment = _ => null })),
            };
        }
        catch (BadInputException e) { throw new BadInputException("address", e.Message, Form(kind)); }
    }

    static string WithoutUser(RestAddress address) => address.User is null ? address.ToString()
        : throw new BadInputException("address", "User and password do not belong into an address, which everybody sees.");

    static string Form(LocationKind kind) => kind switch
    {
        LocationKind.S3 => "Write s3:https://host/bucket/prefix; keys are credentials.",
        LocationKind.Azure => "Write azure:container:/prefix; the account is a credential.",
        _ => "Write rest:https://host:port/path/; user and password are credentials.",
    };

    static void CheckQuota(CreateLocationRequest request)
    {
        if (request.QuotaBytes is not { } quota) return;
        if (request.Kind != LocationKind.Gateway)
            throw new BadInputException("quotaBytes", "Only a gateway can hold a repository to a quota.", "Leave it out.");
        if (quota < SmallestQuota)
            throw new BadInputException("quotaBytes", $"A quota of {quota} bytes holds no repository.", $"At least {SmallestQuota}.");
    }

    /// <summary>Without double slashes, dots and a slash at the end.</summary>
    static FilePath Clean(FilePath path)
    {
        if (!path.IsAbsolute) throw new BadInputException("path", $"'{path}' is not an absolute folder.", "For example /srv/backups");
        var clean = new FilePath([]);
        foreach (var part in path.Parts())
        {
            if (part.Bytes.SequenceEqual(".."u8)) throw new BadInputException("path", $"'{path}' goes up by '..'.",
                "Write the folder itself.");
            clean = new FilePath([.. clean.Bytes, (byte)'/', .. part.Bytes]);
        }
        return clean.IsEmpty ? throw new BadInputException("path", "The root folder cannot hold repositories.", "For example /srv/backups")
            : clean;
    }
}
