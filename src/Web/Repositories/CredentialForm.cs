using BackupDr.Contracts.Api;

namespace BackupDr.Web.Repositories;

/// <summary>The fields of credentials as a form posts them. Spaces around a pasted value are no part of it.</summary>
public class CredentialForm
{
    public string? AccessKey { get; set; }
    public string? SecretKey { get; set; }
    public string? SessionToken { get; set; }
    public string? ConnectionString { get; set; }
    public string? Account { get; set; }
    public string? AccountKey { get; set; }
    public string? Signature { get; set; }
    public string? EndpointSuffix { get; set; }
    public string? User { get; set; }
    public string? UserPassword { get; set; }

    /// <summary>What was filled in; null where nothing was.</summary>
    public StoreCredentials? Credentials()
    {
        var given = new StoreCredentials
        {
            AccessKey = Value(AccessKey),
            SecretKey = Value(SecretKey),
            SessionToken = Value(SessionToken),
            ConnectionString = Value(ConnectionString),
            Account = Value(Account),
            AccountKey = Value(AccountKey),
            Signature = Value(Signature),
            EndpointSuffix = Value(EndpointSuffix),
            User = Value(User),
            UserPassword = Value(UserPassword),
        };
        return given == new StoreCredentials() ? null : given;
    }

    static string? Value(string? text) => text?.Trim() is { Length: > 0 } value ? value : null;
}
